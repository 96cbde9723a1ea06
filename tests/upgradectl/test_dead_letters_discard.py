"""`dead-letters discard`: nothing goes for good before its body lies in a file."""

import stat

from tests.upgradectl.dead_letters_support import Letters
from upgradectl.errors import ExitCode


def test_nothing_is_discarded_without_yes(letters: Letters) -> None:
    letters.add(b"nonsense")
    ended = letters.call("discard", "1", "2")
    assert (ended.code, ended.err) == (ExitCode.USAGE, "error: nothing was done; give --yes\n")
    assert "line 1 column 1: not JSON: would be removed, its body written to dead-letters/dead-letter-1-" in ended.out
    assert "there is no such dead letter" in ended.out
    assert list(letters.dead()) == [1]
    assert not (letters.system.folder / "dead-letters").exists()


def test_what_is_discarded_lies_in_a_file_of_its_owners(letters: Letters) -> None:
    content = bytes(range(256))
    letters.add(b"first", content, b"third")
    enqueued_at = letters.dead()[2].enqueued_at
    ended = letters.run("discard", "2", "1", "--yes", "--to", "kept/here", "--json")
    assert ended.code == 0, ended.err
    file = letters.system.folder / "kept" / "here" / f"dead-letter-2-{enqueued_at:%Y%m%dT%H%M%SZ}.body"
    assert file.read_bytes() == content
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {one["number"]: one["outcome"] for one in ended.document} == {1: "discarded", 2: "discarded"}
    assert list(letters.dead()) == [3]


def test_a_body_that_cannot_be_written_is_not_removed(letters: Letters) -> None:
    letters.add(b"nonsense")
    (letters.system.folder / "file").write_text("")
    ended = letters.call("discard", "1", "--yes", "--to", "file")
    assert (ended.code, ended.out) == (ExitCode.FAILED, "")
    assert ended.notes == "error: file: File exists; nothing of it was removed\n"
    assert ended.err.startswith("System: the environment (tables 127.0.0.1:")
    assert list(letters.dead()) == [1]
