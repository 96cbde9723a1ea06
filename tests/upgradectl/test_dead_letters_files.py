"""Discarding writes the body first; and what the commands print and how they are interrupted."""

import json
import os
import signal
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text

from upgradectl.dead_letter_discard import kept_body
from upgradectl.dead_letter_queue import DeadLetter
from upgradectl.errors import CommandError
from upgradectl.interrupts import between_steps
from upgradectl.listing import Listing
from upgradectl.output import Output

AT = datetime(2026, 3, 1, 12, 30, 5, 999_000, tzinfo=UTC)
BODY = bytes(range(256))


def letter(body: bytes = BODY) -> DeadLetter:
    return DeadLetter(number=7, enqueued_at=AT, delivery_count=30, body=body)


def test_a_body_lies_in_a_file_that_only_its_owner_can_read(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        file = kept_body(letter(), tmp_path / "made" / "for it")
    finally:
        os.umask(before)
    assert file == tmp_path / "made" / "for it" / "dead-letter-7-20260301T123005Z.body"
    assert file.read_bytes() == BODY
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    first, second, third = (kept_body(letter(body), tmp_path) for body in (b"one", b"two", b"three"))
    name = "dead-letter-7-20260301T123005Z"
    assert [file.name for file in (first, second, third)] == [f"{name}.body", f"{name}-2.body", f"{name}-3.body"]
    assert [file.read_bytes() for file in (first, second, third)] == [b"one", b"two", b"three"]


def test_what_an_earlier_run_has_written_is_not_written_again(tmp_path: Path) -> None:
    other, first = kept_body(letter(b"half of"), tmp_path), kept_body(letter(), tmp_path)
    assert kept_body(letter(), tmp_path) == first
    assert sorted(tmp_path.iterdir()) == sorted([other, first])


def test_a_full_disk_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(CommandError, match="No space left on device"):
        kept_body(letter(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_disk_has_it_before_it_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr("os.fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    file = kept_body(letter(), tmp_path)
    both = [file.stat().st_ino, tmp_path.stat().st_ino]
    assert synced == both
    kept_body(letter(), tmp_path)
    assert synced == both * 2


def test_ctrl_c_waits_for_the_end_of_a_step() -> None:
    steps: list[bool] = []

    def run() -> None:
        with between_steps() as is_over:
            steps.append(is_over())
            signal.raise_signal(signal.SIGINT)
            steps.append(is_over())

    with pytest.raises(KeyboardInterrupt):
        run()
    assert steps == [False, True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_does_not_wait() -> None:
    def run() -> None:
        with between_steps():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            pytest.fail("it went on")

    with pytest.raises(KeyboardInterrupt):
        run()


def test_without_ctrl_c_nothing_happens() -> None:
    before = signal.getsignal(signal.SIGINT)
    with between_steps() as is_over:
        assert not is_over()
    assert signal.getsignal(signal.SIGINT) is before


ROWS: tuple[dict[str, Any], ...] = ({"a": 1, "at": AT}, {"a": 2}, {"a": 3})


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_listing_is_one_json_array_however_long_and_also_where_it_breaks_off(
    count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> None:
        with Listing(Output(as_json=True), [("a", 3)]) as listing:
            for row in ROWS[:count]:
                listing.add(["x"], row)
            raise CommandError("broken off")

    with pytest.raises(CommandError):
        run()
    found = json.loads(capsys.readouterr().out)
    assert [row["a"] for row in found] == [1, 2, 3][:count]
    assert not count or found[0]["at"] == AT.isoformat().replace("+00:00", "Z")


def test_a_listing_for_people_has_columns_that_are_known_beforehand(capsys: pytest.CaptureFixture[str]) -> None:
    with Listing(Output(), [("a", 4), ("long", 2), ("last", 9)]) as listing:
        listing.add(["1", "12345", "x"], {})
        listing.add([Text("22"), "1", "[b]y"], {})
    assert capsys.readouterr().out.splitlines() == ["A     LONG  LAST", "1     12345  x", "22    1   [b]y"]
