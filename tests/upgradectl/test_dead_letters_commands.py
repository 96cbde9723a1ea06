"""`dead-letters list` and `show`: what they say of dead letters, and what any command says that cannot do its work."""

import base64
import os
import pty
import select
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.amqp import AmqpAnnotatedMessage

from tests.upgradectl import queue_support
from tests.upgradectl.dead_letters_support import Letters, valid_body
from tests.upgradectl.system import DEADLINE_S, wait_for
from upgradectl.dead_letter_queue import DeadLetter
from upgradectl.dead_letters import everything
from upgradectl.errors import ExitCode

TROUBLE = "system trouble, send again"


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


def test_where_there_is_none_the_list_says_so(letters: Letters) -> None:
    empty = letters.call("list")
    assert (empty.code, empty.out, empty.err) == (0, "", "There are no dead letters.\n")


def test_the_list_as_json(letters: Letters) -> None:
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
    letters.add(*(valid_body(more="x" * 60_000) for _ in range(9)), *(b"short" for _ in range(300)))
    assert [row["number"] for row in letters.call("list", "--json").document] == list(range(1, 310))


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
    document = letters.call("show", "1", "--json").document
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
            env=letters.system.shell(NO_COLOR="1"),
            stdout=terminal,
            stderr=subprocess.PIPE,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        said = "error: --raw is not for a terminal; redirect it: --raw > mended.json\n"
        assert (ended.returncode, ended.stderr) == (ExitCode.USAGE, said)
        assert select.select([screen], [], [], 0)[0] == []
    finally:
        os.close(terminal)
        os.close(screen)


def test_a_body_that_is_no_text_is_told_in_base64() -> None:
    content = bytes(range(256))
    document = everything(DeadLetter(1, datetime.now(UTC), 0, content), ("Azure",))
    assert document["body_encoding"] == "base64"
    assert base64.b64decode(document["body"]) == content
    assert not document["valid"]


def test_a_message_whose_body_is_no_data_is_shown_and_is_no_request(letters: Letters) -> None:
    text = valid_body().decode()
    queue_support.send(letters.system, AmqpAnnotatedMessage(value_body=text, header={"time_to_live": 1}))
    wait_for(lambda: list(letters.dead()) == [1])
    document = letters.call("show", "1", "--json").document
    assert document["body"] == text
    assert (document["valid"], document["reason"]) == (False, "an AMQP value or sequence, where bytes are expected")


@pytest.mark.parametrize("command", ["show", "discard --yes"])
def test_a_number_that_is_none_is_an_answer(letters: Letters, command: str) -> None:
    name, *options = command.split()
    ended = letters.call(name, "7", *options)
    assert ended.code == ExitCode.NOT_OK
    assert "there is no" in ended.out + ended.err


@pytest.mark.parametrize(
    ("claim", "command", "role"),
    [
        ("listen", "list --json", "Receiver"),
        ("listen", "resubmit 1", "Receiver"),
        ("send", "resubmit 1", "Sender"),
    ],
)
def test_who_lacks_a_role_learns_which(letters: Letters, claim: str, command: str, role: str) -> None:
    letters.system.broker(f"withhold-{claim}")
    try:
        ended = letters.call(*command.split())
    finally:
        letters.system.broker("grant-all")
    assert (ended.code, ended.out) == (ExitCode.FAILED, "")
    remedy = f"grant yourself Azure Service Bus Data {role} on the queue {letters.system.queue}"
    assert ended.err == f"error: Service Bus refuses; {remedy}\n"


def test_a_queue_that_there_is_not(letters: Letters) -> None:
    ended = letters.call("list", UPGRADE_QUEUE="nowhere")
    assert (ended.code, ended.out) == (ExitCode.FAILED, "")
    assert ended.err == "error: there is no queue nowhere; check UPGRADE_QUEUE\n"
