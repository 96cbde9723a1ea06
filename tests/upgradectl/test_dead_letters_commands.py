"""`dead-letters`: every command through its real entry point, against the local broker."""

import base64
import json
import os
import pty
import select
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from uuid import UUID

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.amqp import AmqpAnnotatedMessage

from local.component import REPOSITORY, Component
from tests.upgradectl.conftest import System
from tests.upgradectl.dead_letters_support import DEADLINE_S, NAMES, Letters, running_broker, valid_body
from upgradectl import dead_letter_queue
from upgradectl.errors import ExitCode

TROUBLE = "system trouble, send again"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dead_letters")


@pytest.fixture(scope="module")
def broker(state: Path) -> Iterator[Component]:
    with running_broker(state) as component:
        yield component


@pytest.fixture(scope="module")
def names() -> Iterator[str]:
    return iter(NAMES)


@pytest.fixture
def letters(
    system: System, broker: Component, state: Path, names: Iterator[str], monkeypatch: pytest.MonkeyPatch
) -> Letters:
    """A queue that nobody has used yet."""
    monkeypatch.chdir(system.folder)
    return Letters(system, broker, state / "journal.jsonl", next(names))


def test_the_list_says_of_each_what_is_wrong_with_it_and_shows_no_body(letters: Letters) -> None:
    letters.add(
        ServiceBusMessage(valid_body(note="confidential"), message_id="good"),
        ServiceBusMessage(b'{"customerId": "confidential"}', message_id="bad \x1b[2J"),
        b"\xff\xfe",
    )
    ended = letters.run("list")
    header, *rows = ended.out.splitlines()
    assert (ended.code, ended.err) == (0, "")
    assert header.split("  ")[0] == "NUMBER"
    assert [row.split()[0] for row in rows] == ["1", "2", "3"]
    assert all("TTLExpiredException" in row for row in rows)
    assert rows[0].endswith(TROUBLE)
    assert rows[1].endswith("$.customerId: not a GUID (8-4-4-4-12 hexadecimal digits)")
    assert "bad \\u001b[2J" in rows[1]
    assert rows[2].endswith("byte 0: not UTF-8")
    assert "confidential" not in ended.out


def test_the_list_as_json(letters: Letters) -> None:
    assert letters.call("list", "--json").document == []
    empty = letters.call("list")
    assert (empty.code, empty.out, empty.err) == (0, "", "There are no dead letters.\n")
    letters.add(ServiceBusMessage(valid_body(), message_id="good"), b"nonsense")
    first, second = letters.call("list", "--json").document
    (dead, _) = letters.dead().values()
    assert datetime.fromisoformat(first.pop("enqueued_at")) == dead.enqueued_at
    assert first == {
        "number": 1,
        "delivery_count": 0,
        "broker_reason": "TTLExpiredException",
        "message_id": "good",
        "valid": True,
        "reason": TROUBLE,
    }
    assert (second["number"], second["valid"], second["reason"]) == (2, False, "line 1 column 1: not JSON")


def test_more_dead_letters_than_fit_into_one_answer_are_all_listed(letters: Letters) -> None:
    long = [valid_body(more="x" * 60_000) for _ in range(9)]
    for first in range(0, 9, 3):
        letters.add(*long[first : first + 3])
    letters.add(*(b"short" for _ in range(300)))
    assert [row["number"] for row in letters.call("list", "--json").document] == list(range(1, 310))


def test_what_the_app_may_be_asked_for_decides_what_is_valid(letters: Letters) -> None:
    letters.add(valid_body(productFamily="Modern"))
    families = {"PRODUCT_FAMILIES": "Azure,Modern"}
    (refused,) = letters.call("resubmit", "1", "--json").document
    assert refused["detail"] == (
        "$.productFamily: not one of: Azure; if PRODUCT_FAMILIES allows it by now: --set PRODUCT_FAMILIES=..."
    )
    assert letters.call("list", "--json", **families).document[0]["valid"]
    assert letters.call("resubmit", "1", "--set", "PRODUCT_FAMILIES=Azure,Modern").code == 0
    assert len(letters.sent()) == 1


def test_showing_one_tells_everything(letters: Letters) -> None:
    content = valid_body(requestId="r-1")
    letters.add(
        ServiceBusMessage(
            content,
            message_id="m-1",
            correlation_id="c-1",
            subject="upgrade",
            content_type="application/json",
            application_properties={"team": "blue\x1b", "attempt": 2},
        )
    )
    document = letters.run("show", "1", "--json").document
    assert document["body"] == content.decode()
    assert document["body_encoding"] == "utf-8"
    assert document["application_properties"] == {"team": "blue\x1b", "attempt": 2}
    assert (document["message_id"], document["correlation_id"], document["subject"]) == ("m-1", "c-1", "upgrade")
    assert document["broker_description"] == "The message expired and was dead lettered."
    assert document["request"]["request_id"] == "r-1"
    shown = letters.call("show", "1")
    assert shown.code == 0
    assert shown.out.endswith(f"\n\n{content.decode()}\n")
    assert "property team     blue\\u001b\n" in shown.out
    assert letters.call("show", "1", "--raw").out == content.decode()
    assert list(letters.dead()) == [1]


def test_a_body_goes_to_no_terminal_as_it_is(letters: Letters) -> None:
    letters.add(b"\x1b[2Jconfidential")
    screen, terminal = pty.openpty()
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "upgradectl", "dead-letters", "show", "1", "--raw"],
            env={**_environment(letters), "NO_COLOR": "1"},
            stdout=terminal,
            stderr=subprocess.PIPE,
            text=True,
            timeout=DEADLINE_S * 2,
            check=False,
        )
        said = "error: --raw is not for a terminal; redirect it: --raw > mended.json\n"
        assert (ended.returncode, ended.stderr) == (ExitCode.USAGE, said)
        assert select.select([screen], [], [], 0)[0] == []
    finally:
        os.close(terminal)
        os.close(screen)


def test_showing_what_is_no_text(letters: Letters) -> None:
    content = bytes(range(256))
    letters.add(content)
    document = letters.call("show", "1", "--json").document
    assert document["body_encoding"] == "base64"
    assert base64.b64decode(document["body"]) == content
    assert not document["valid"]


def test_a_message_whose_body_is_no_data_is_shown_and_refused(letters: Letters) -> None:
    with letters.client() as client, client.get_queue_sender(letters.name) as sender:
        text = valid_body().decode()
        sender.send_messages(AmqpAnnotatedMessage(value_body=text, header={"time_to_live": 1}))
    document = letters.call("show", "1", "--json").document
    assert document["body"] == text
    assert document["reason"] == "an AMQP value or sequence, where bytes are expected"
    assert letters.call("resubmit", "1").code == ExitCode.NOT_OK
    assert list(letters.dead()) == [1]


@pytest.mark.parametrize("command", ["show", "resubmit", "discard --yes"])
def test_a_number_that_is_none_is_an_answer(letters: Letters, command: str) -> None:
    name, *options = command.split()
    ended = letters.call(name, "7", *options)
    assert ended.code == ExitCode.NOT_OK
    assert "there is no" in ended.out + ended.err


def test_what_is_sent_again_is_the_same_request_under_a_new_message_id(letters: Letters) -> None:
    plain, enveloped = valid_body(), valid_body()
    cloud_event = b'{"specversion": "1.0", "id": "no id", "data": %s}' % enveloped
    letters.add(
        ServiceBusMessage(plain, message_id="m-1", application_properties={"team": "blue"}, correlation_id="c-1"),
        ServiceBusMessage(cloud_event, message_id="no id either"),
        ServiceBusMessage(valid_body(requestId="r-3"), message_id="m-3"),
    )
    enqueued_at = letters.dead()[2].enqueued_at
    ended = letters.run("resubmit", "3", "1", "2", "1", "--json")
    assert ended.code == 0, ended.out + ended.err
    first, second, third = letters.sent()
    assert json.loads(first.body) == {"requestId": "m-1", **json.loads(plain)}
    derived = f"seq-2-{round(enqueued_at.timestamp() * 1000)}"
    assert json.loads(second.body)["data"] == {"requestId": derived, **json.loads(enveloped)}
    assert json.loads(third.body)["requestId"] == "r-3"
    assert {one["number"]: one["request_id"] for one in ended.document} == {1: "m-1", 2: derived, 3: "r-3"}
    assert all(one["outcome"] == "sent again" for one in ended.document)
    assert len({UUID(message.message_id) for message in (first, second, third)}) == 3
    assert (first.properties, first.correlation_id) == ({"team": "blue"}, "c-1")
    assert not letters.dead()


def test_all_valid_ones_are_sent_and_the_others_stay(letters: Letters) -> None:
    letters.add(b"nonsense", *(valid_body() for _ in range(120)), b"more of it")
    ended = letters.run("resubmit", "--all-valid")
    assert (ended.code, ended.out, ended.notes) == (0, "Sent again: 120.\n", "")
    assert ended.err.startswith("System: the environment (tables 127.0.0.1:")
    assert len(letters.sent()) == 120
    assert list(letters.dead()) == [1, 122]
    with letters.held(2):  # they were given back
        pass


def test_what_is_no_request_is_refused_and_the_rest_is_sent(letters: Letters) -> None:
    letters.add(b"nonsense", valid_body())
    ended = letters.call("resubmit", "1", "2", "9")
    assert ended.code == ExitCode.NOT_OK
    _, *rows = (line.split(maxsplit=1) for line in ended.out.splitlines())
    said = dict(rows)
    assert said["1"] == "refused     line 1 column 1: not JSON"
    assert said["9"] == "absent      there is no such dead letter"
    assert said["2"].startswith("sent again  request ")
    assert list(letters.dead()) == [1]


def test_a_mended_body_goes_instead_with_the_original_request_id(letters: Letters, tmp_path: Path) -> None:
    letters.add(ServiceBusMessage(b'{"customerId": "?", "requestId": "r-1"}', message_id="m-1"), b"nonsense")
    mended, file = valid_body(), tmp_path / "mended.json"
    file.write_bytes(b"{}")
    ended = letters.call("resubmit", "1", "--body", str(file))
    assert ended.code == ExitCode.NOT_OK
    assert "$.customerId: missing" in ended.out
    assert not letters.sent()
    file.write_bytes(mended)
    assert letters.call("resubmit", "1", "--body", str(file)).code == 0
    assert letters.call("resubmit", "2", "--body", "-", stdin=valid_body(requestId="mine").decode()).code == 0
    first, second = letters.sent()
    assert json.loads(first.body) == {"requestId": "r-1", **json.loads(mended)}
    assert json.loads(second.body)["requestId"] == "mine"
    assert not letters.dead()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "error: name dead letters by their numbers, or all of them by --all-valid"),
        (["1", "--all-valid"], "error: name dead letters by their numbers, or all of them by --all-valid"),
        (["1", "2", "--body", "x"], "error: --body is for exactly one dead letter"),
        (["--all-valid", "--body", "x"], "error: --body is for exactly one dead letter"),
        (["1", "--body", "nowhere"], "error: nowhere: No such file or directory"),
        (["0"], "greater than or equal to 1"),
    ],
)
def test_wrong_usage_of_resubmit(letters: Letters, arguments: list[str], said: str) -> None:
    ended = letters.call("resubmit", *arguments, NO_COLOR="1", COLUMNS="200")
    assert (ended.code, ended.out) == (ExitCode.USAGE, "")
    assert said in ended.err


def test_what_somebody_else_is_looking_at_has_to_wait(letters: Letters, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letter_queue, "_DRY_S", 0.5)
    letters.add(valid_body(), valid_body())
    with letters.held(1):
        ended = letters.call("resubmit", "1", "2", "--json")
    assert ended.code == ExitCode.FAILED
    outcomes = {one["number"]: one for one in ended.document}
    assert outcomes[1]["outcome"] == "held"
    assert outcomes[1]["detail"] == "is being looked at by somebody else; try again later"
    assert outcomes[2]["outcome"] == "sent again"
    assert list(letters.dead()) == [1]
    assert letters.call("resubmit", "1").code == 0


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


@pytest.mark.parametrize(
    ("claim", "command", "role"),
    [
        ("listen", "list --json", "Receiver"),
        ("listen", "resubmit 1", "Receiver"),
        ("send", "resubmit 1", "Sender"),
    ],
)
def test_who_lacks_a_role_learns_which(letters: Letters, claim: str, command: str, role: str) -> None:
    letters.control(f"withhold-{claim}")
    try:
        ended = letters.call(*command.split())
    finally:
        letters.control("grant-all")
    assert (ended.code, ended.out) == (ExitCode.FAILED, "")
    remedy = f"grant yourself Azure Service Bus Data {role} on the queue {letters.name}"
    assert ended.err == f"error: Service Bus refuses; {remedy}\n"


def test_a_queue_that_there_is_not(letters: Letters) -> None:
    ended = letters.call("list", UPGRADE_QUEUE="nowhere")
    assert (ended.code, ended.out) == (ExitCode.FAILED, "")
    assert ended.err == "error: there is no queue nowhere; check UPGRADE_QUEUE\n"


# Ends its process between the two steps that must not be torn apart, as a machine may.
CUT_OFF = """
import os, signal
from upgradectl.dead_letter_queue import DeadLetterQueue
DeadLetterQueue.complete = lambda self, letter: os.kill(os.getpid(), signal.SIGKILL)
from upgradectl.app import app
app()
"""


def _environment(letters: Letters) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(REPOSITORY),
        **letters.system.environment,
        **letters.system.settings,
        **letters.settings,
    }


def _cut_off(letters: Letters, *arguments: str) -> int:
    command = [sys.executable, "-c", CUT_OFF, "dead-letters", *arguments]
    ended = subprocess.run(command, env=_environment(letters), cwd=letters.system.folder, timeout=50, check=False)
    return ended.returncode


def test_one_killed_between_sending_and_removing_sends_the_same_request_again(letters: Letters) -> None:
    letters.add(ServiceBusMessage(valid_body(), message_id="m-1"))
    assert _cut_off(letters, "resubmit", "1") == -signal.SIGKILL
    assert list(letters.dead()) == [1]
    assert len(letters.sent()) == 1
    letters.control("lose-locks")  # else it takes a minute
    assert letters.run("resubmit", "1").code == 0
    assert not letters.dead()
    assert [json.loads(message.body)["requestId"] for message in letters.sent()] == ["m-1", "m-1"]


def test_one_killed_between_writing_and_removing_writes_nothing_twice(letters: Letters) -> None:
    letters.add(b"nonsense")
    assert _cut_off(letters, "discard", "1", "--yes") == -signal.SIGKILL
    assert list(letters.dead()) == [1]
    letters.control("lose-locks")
    assert letters.run("discard", "1", "--yes").code == 0
    assert not letters.dead()
    (file,) = (letters.system.folder / "dead-letters").iterdir()
    assert file.read_bytes() == b"nonsense"


def test_ctrl_c_ends_it_between_two_dead_letters_and_gives_the_others_back(letters: Letters) -> None:
    count = 200
    letters.add(*(ServiceBusMessage(valid_body(), message_id=f"m-{n}") for n in range(count)))
    environment = {"PATH": os.environ["PATH"], **letters.system.environment, **letters.system.settings}
    # What a shell has put into the background ignores the signal, and so would its children.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "upgradectl", "dead-letters", "resubmit", "--all-valid", "--json"],
        env={**environment, **letters.settings}, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    signal.signal(signal.SIGINT, before)
    with process, letters.client() as client, client.get_queue_receiver(letters.name) as receiver:
        deadline = time.monotonic() + DEADLINE_S * 2
        while not receiver.peek_messages(1, sequence_number=1):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED
    done = [one["number"] for one in json.loads(out)]
    assert 0 < len(done) < count
    sent = [json.loads(message.body)["requestId"] for message in letters.sent()]
    assert len(sent) == len(done)  # nothing half done
    assert sorted(letters.dead()) == sorted({*range(1, count + 1)} - {*done})
    with letters.held(1):
        pass
