"""The contract of a message (docs/messages.md), sentence by sentence: the document."""

import json
from typing import Any

import pytest

from shared.messages import MAX_BYTES, MAX_LEVELS
from shared.models import UpgradeRequest
from tests.fakes import CUSTOMER
from tests.unit.message_bodies import ENQUEUED, MINIMAL, parse_body, parse_document, refusal, refusal_of


def nested(levels: int) -> dict[str, Any]:
    """A request of so many levels."""
    value: Any = 0
    for _ in range(levels - 1):
        value = [value]
    return {**MINIMAL, "x": value}


def test_a_minimal_request_is_accepted() -> None:
    assert parse_document(MINIMAL) == UpgradeRequest(CUSTOMER, "Azure", "message-1", ENQUEUED)


def test_a_leading_byte_order_mark_is_tolerated() -> None:
    assert parse_body(b"\xef\xbb\xbf" + json.dumps(MINIMAL).encode()).customer_id == CUSTOMER


def test_a_second_byte_order_mark_is_not() -> None:
    assert refusal(b"\xef\xbb\xbf" * 2 + json.dumps(MINIMAL).encode()) == ("not JSON", "line 1 column 1")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_other_encodings_than_utf_8_are_invalid(encoding: str) -> None:
    assert refusal(json.dumps(MINIMAL).encode(encoding))[0] in {"not UTF-8", "not JSON"}


def test_bytes_that_are_not_utf_8_are_located() -> None:
    assert refusal(b'{"customerId": "\xff"}') == ("not UTF-8", "byte 16")


@pytest.mark.parametrize("body", [b"", b" ", b"{", b"{'a': 1}", b'{"a": 1,}', b"{} {}", b"<x/>", b"\x00"])
def test_what_is_not_json_is_invalid(body: bytes) -> None:
    assert refusal(body)[0] == "not JSON"


@pytest.mark.parametrize("document", [None, True, 1, 1.5, "text", [], [MINIMAL]])
def test_what_is_not_an_object_is_invalid(document: object) -> None:
    assert refusal_of(document) == ("not a JSON object", "$")


@pytest.mark.parametrize("constant", [b"NaN", b"Infinity", b"-Infinity"])
def test_constants_that_are_not_json_are_invalid(constant: bytes) -> None:
    assert refusal(b'{"x": %b}' % constant)[0] == "NaN and Infinity are not JSON"


def test_an_integer_of_thousands_of_digits_is_invalid() -> None:
    assert refusal(b'{"x": %b}' % (b"9" * 5000)) == ("a number is too long", "$")


def test_a_body_of_64_kib_is_accepted_and_one_byte_more_is_not() -> None:
    body = json.dumps(MINIMAL).encode()
    assert MAX_BYTES == 64 * 1024
    assert parse_body(body.ljust(MAX_BYTES)).customer_id == CUSTOMER
    assert refusal(body.ljust(MAX_BYTES + 1)) == ("longer than 65536 bytes", "$")


def test_16_levels_are_accepted_and_one_more_is_not() -> None:
    assert MAX_LEVELS == 16
    assert parse_document(nested(16)).customer_id == CUSTOMER
    assert refusal_of(nested(17)) == ("deeper than 16 levels", "$")


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_nesting_that_no_parser_survives_is_invalid(opening: bytes) -> None:
    assert refusal((opening * MAX_BYTES)[: MAX_BYTES - 1])[0] in {"deeper than 16 levels", "not JSON"}


def test_unknown_properties_are_ignored() -> None:
    assert parse_document({**MINIMAL, "priority": {"x": [1, None, "\ud800"]}, "CustomerId": 7}).customer_id == CUSTOMER


@pytest.mark.parametrize(
    "body",
    [
        b'{"customerId": "a", "customerId": "a"}',
        b'{"x": 1, "x": 1}',
        b'{"x": 1, "\\u0078": 2}',
        b'{"x": {"y": [{"z": 1, "z": 2}]}}',
        b'{"specversion": "1.0", "data": {"x": 1, "x": 2}}',
    ],
)
def test_a_property_named_twice_at_any_level_is_invalid(body: bytes) -> None:
    assert refusal(body) == ("a property is named twice", "$")
