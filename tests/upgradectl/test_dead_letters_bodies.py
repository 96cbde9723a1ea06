"""What goes to the queue again: the body that was sent, with the request id that it had."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidRequest
from shared.messages import MAX_BYTES, Message, parse
from upgradectl.dead_letter_queue import DeadLetter
from upgradectl.dead_letter_resubmit import prepared
from upgradectl.dead_letters import Fate, everything, exit_code, request_in, summary, visible
from upgradectl.errors import ExitCode
from upgradectl.request_id_in_body import with_request_id

FAMILIES = ("Azure", "Modern Work")
CUSTOMER = "2f3e9a10-5b1c-4d6e-8f70-a1b2c3d4e5f6"
AT = datetime(2026, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC)
FIELDS = f'"customerId": "{CUSTOMER}", "productFamily": "azure"'


def letter(body: str | bytes, message_id: str | None = "m-1") -> DeadLetter:
    content = body.encode() if isinstance(body, str) else body
    return DeadLetter(number=7, enqueued_at=AT, delivery_count=30, body=content, message_id=message_id)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (f"{{{FIELDS}}}", f'{{"requestId": "r\\"1", {FIELDS}}}'),
        (
            f'\ufeff \n{{ \t"a":[1.10,1E400],{FIELDS} }} ',
            f' \n{{"requestId": "r\\"1",  \t"a":[1.10,1E400],{FIELDS} }} ',
        ),
        (f'{{{FIELDS}, "requestId": null}}', f'{{{FIELDS}, "requestId": "r\\"1"}}'),
        (f'{{"requestId" :  null,{FIELDS}}}', f'{{"requestId" :  "r\\"1",{FIELDS}}}'),
        (
            f'{{"specversion": "1.0", "requestId": "not this", "data": {{{FIELDS}}}}}',
            f'{{"specversion": "1.0", "requestId": "not this", "data": {{"requestId": "r\\"1", {FIELDS}}}}}',
        ),
        (
            f'{{"data": {{"x": {{"requestId": null}}, {FIELDS}, "requestId": null}}, "specversion": "1.0"}}',
            f'{{"data": {{"x": {{"requestId": null}}, {FIELDS}, "requestId": "r\\"1"}}, "specversion": "1.0"}}',
        ),
    ],
)
def test_a_request_id_comes_in_and_nothing_else_changes(body: str, expected: str) -> None:
    assert with_request_id(body.encode(), 'r"1').decode() == expected
    assert parse(Message(expected.encode(), None, 0, AT), FAMILIES).request_id == 'r"1'


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_NAMES = st.text(max_size=10).filter(lambda name: name not in ("specversion", "data", "requestId", "id"))


@given(
    extra=st.dictionaries(_NAMES, _JSON, max_size=4),
    enveloped=st.booleans(),
    null=st.booleans(),
    indent=st.none() | st.integers(0, 2),
    request_id=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=128),
)
def test_it_is_the_same_document_but_for_the_request_id(
    extra: dict[str, Any], enveloped: bool, null: bool, indent: int | None, request_id: str
) -> None:
    request = {**extra, "customerId": CUSTOMER, "productFamily": "Azure"}
    document: dict[str, Any] = {"specversion": "1.0", **extra, "data": request} if enveloped else request
    if null:
        request["requestId"] = None
    written = json.dumps(document, indent=indent, ensure_ascii=False).encode("utf-8", "surrogatepass")
    found = json.loads(with_request_id(written, request_id))
    inner = found["data"] if enveloped else found
    assert inner.pop("requestId") == request_id
    request.pop("requestId", None)
    assert found == document


@pytest.mark.parametrize(
    ("body", "message_id", "request_id", "is_changed"),
    [
        (f'{{{FIELDS}, "requestId": "own"}}', "m-1", "own", False),
        (f"{{{FIELDS}}}", "m-1", "m-1", True),
        (f"{{{FIELDS}}}", None, f"seq-7-{1772366400123}", True),
        (f"{{{FIELDS}}}", "has a space", f"seq-7-{1772366400123}", True),
        (f'{{"specversion": "1.0", "id": "event", "data": {{{FIELDS}}}}}', "m-1", "event", False),
        (f'{{"specversion": "1.0", "id": "an event", "data": {{{FIELDS}}}}}', "m-1", "m-1", True),
        (f'{{"specversion": "1.0", "id": "event", "data": {{{FIELDS}, "requestId": "own"}}}}', "m-1", "own", False),
    ],
)
def test_it_stays_the_request_that_it_was(body: str, message_id: str | None, request_id: str, is_changed: bool) -> None:
    dead = letter(body, message_id)
    ready = prepared(dead, FAMILIES)
    assert (ready.request.request_id, ready.body != dead.body) == (request_id, is_changed)
    assert ready.request == request_in(dead, FAMILIES)
    # Whatever message id and number it gets, and however often it is sent and dead-lettered.
    arrived = DeadLetter(number=99, enqueued_at=datetime.now(UTC), delivery_count=1, body=ready.body, message_id="new")
    assert request_in(arrived, FAMILIES).request_id == request_id
    assert prepared(arrived, FAMILIES).body == ready.body


@pytest.mark.parametrize(
    ("body", "request_id"),
    [
        ('{"customerId": "?", "requestId": "own"}', "own"),
        ('{"customerId": "?"}', "m-1"),
        ('{"customerId": "?", "requestId": "not valid"}', "m-1"),
        ('{"specversion": "1.0", "id": "event", "data": {}}', "event"),
        ('{"specversion": "1.0", "id": "event"}', "m-1"),
        ('{"specversion": "0.3", "id": "event", "data": {}}', "m-1"),
        ("[]", "m-1"),
        ("[" * 100_000, "m-1"),
        (b"\xff", "m-1"),
        (f'{{{FIELDS}, "requestId": "own"}}', "own"),
    ],
)
def test_a_mended_body_without_an_id_gets_that_of_the_dead_letter(body: str | bytes, request_id: str) -> None:
    ready = prepared(letter(body), FAMILIES, f"{{{FIELDS}}}".encode())
    assert ready.request.request_id == request_id
    assert json.loads(ready.body)["requestId"] == request_id


def test_a_mended_body_may_have_an_id_of_its_own() -> None:
    mended = f'{{{FIELDS}, "requestId": "mine"}}'.encode()
    assert prepared(letter('{"requestId": "own"}'), FAMILIES, mended).body == mended


def test_what_is_no_request_is_refused_mended_or_not() -> None:
    good = f"{{{FIELDS}}}"
    for dead, mended in ((letter("{}"), None), (letter(good), b"{}"), (replace(letter(good), is_data=False), None)):
        with pytest.raises(InvalidRequest):
            prepared(dead, FAMILIES, mended)


def test_a_body_that_gets_too_long_with_its_id_is_refused() -> None:
    room = MAX_BYTES - len(f'{{{FIELDS}, "x": ""}}')
    fits = letter(f'{{{FIELDS}, "x": "{"y" * room}"}}')
    assert request_in(fits, FAMILIES)
    with pytest.raises(InvalidRequest, match="longer than"):
        prepared(fits, FAMILIES)


def test_a_valid_one_is_system_trouble_and_another_has_its_reason() -> None:
    good, bad = summary(letter(f"{{{FIELDS}}}"), FAMILIES), summary(letter("{}"), FAMILIES)
    assert (good["valid"], good["reason"]) == (True, "system trouble, send again")
    assert (bad["valid"], bad["reason"]) == (False, "$.customerId: missing")
    assert "body" not in good


def test_everything_names_the_request() -> None:
    assert everything(letter(f"{{{FIELDS}}}"), FAMILIES)["request"] == {
        "customer_id": CUSTOMER,
        "product_family": "Azure",
        "request_id": "m-1",
    }
    assert "request" not in everything(letter("{}"), FAMILIES)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ä 漢", "plain ä 漢"),
        ("a\x1b[2Jb\r\n", "a\\u001b[2Jb\\r\\n"),
        ("\u202etxt.exe", "\\u202etxt.exe"),
        ("\x9b", "\\u009b"),
    ],
)
def test_a_sender_cannot_move_the_cursor(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_the_exit_code_is_that_of_the_worst() -> None:
    assert exit_code(set()) == exit_code({Fate.SENT, Fate.DISCARDED}) == ExitCode.OK
    assert exit_code({Fate.SENT, Fate.REFUSED}) == exit_code({Fate.ABSENT}) == ExitCode.NOT_OK
    assert exit_code({Fate.REFUSED, Fate.HELD}) == exit_code({Fate.LEFT}) == ExitCode.FAILED
