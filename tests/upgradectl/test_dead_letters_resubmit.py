"""`dead-letters resubmit`: what is sent again and as what, and what stays."""

import json
from pathlib import Path
from typing import cast
from uuid import UUID

import pytest
from azure.servicebus import ServiceBusMessage

from tests.fakes import NOON
from tests.upgradectl.dead_letters_support import Letters, valid_body
from upgradectl import dead_letter_queue
from upgradectl.dead_letter_queue import DeadLetter, DeadLetterQueue
from upgradectl.dead_letter_resubmit import Resubmission
from upgradectl.dead_letters import Fate, Outcome
from upgradectl.errors import ExitCode


def test_what_the_app_may_be_asked_for_decides_what_is_valid(letters: Letters) -> None:
    letters.add(valid_body(productFamily="Modern"))
    assert letters.call("list", "--json", PRODUCT_FAMILIES="Azure,Modern").document[0]["valid"]
    assert letters.call("resubmit", "1", "--set", "PRODUCT_FAMILIES=Azure,Modern").code == 0
    assert len(letters.sent()) == 1


class One:
    """A `DeadLetterQueue` with one dead letter."""

    def __init__(self, body: bytes) -> None:
        self._letter = DeadLetter(1, NOON, 30, body, message_id="m-1")

    def peek(self, number: int) -> DeadLetter:
        return self._letter


@pytest.mark.parametrize(
    ("body", "mended", "detail"),
    [
        (
            valid_body(productFamily="Modern"),
            None,
            "$.productFamily: not one of: Azure; if PRODUCT_FAMILIES allows it by now: --set PRODUCT_FAMILIES=...",
        ),
        (b"nonsense", None, "line 1 column 1: not JSON"),
        (valid_body(), b"{}", "$.customerId: missing"),
    ],
    ids=["another family", "not JSON", "mended"],
)
def test_why_it_is_not_sent_is_said_before_anything_is(body: bytes, mended: bytes | None, detail: str) -> None:
    resubmission = Resubmission(cast(DeadLetterQueue, One(body)), lambda message: None, ("Azure",), mended)
    assert list(resubmission.refused([1])) == [Outcome(1, Fate.REFUSED, detail)]


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
    ended = letters.call("resubmit", "--all-valid")
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
