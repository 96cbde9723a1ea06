"""The contract of a message, sentence by sentence (docs/messages.md)."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidRequest
from shared.messages import MAX_BYTES, MAX_LEVELS, Message, parse
from shared.models import UpgradeRequest

CUSTOMER = "2f3e9a10-5b1c-4d6e-8f70-a1b2c3d4e5f6"
ENQUEUED = datetime(2026, 3, 1, 12, 0, 0, 123456, UTC)
FAMILIES = ("Azure", "Azure plan", "Kite")
MINIMAL = {"customerId": CUSTOMER, "productFamily": "Azure"}
EVENT = {"specversion": "1.0", "id": "event-1", "source": "/orders", "type": "upgrade.requested"}


def parse_body(body: bytes, message_id: str | None = "message-1") -> UpgradeRequest:
    return parse(Message(body, message_id, 7, ENQUEUED), FAMILIES)


def parse_document(document: Any, message_id: str | None = "message-1") -> UpgradeRequest:
    return parse_body(json.dumps(document).encode(), message_id)


def refusal(body: bytes) -> tuple[str, str]:
    with pytest.raises(InvalidRequest) as refused:
        parse_body(body)
    return refused.value.reason, refused.value.where


def refusal_of(document: Any) -> tuple[str, str]:
    return refusal(json.dumps(document).encode())


def nested(levels: int) -> dict[str, Any]:
    """A request of so many levels."""
    value: Any = 0
    for _ in range(levels - 1):
        value = [value]
    return {**MINIMAL, "x": value}


# The document


def test_a_minimal_request_is_accepted() -> None:
    assert parse_document(MINIMAL) == UpgradeRequest(CUSTOMER, "Azure", "message-1", ENQUEUED)


def test_a_leading_byte_order_mark_is_tolerated() -> None:
    assert parse_body(b"\xef\xbb\xbf" + json.dumps(MINIMAL).encode()).customer_id == CUSTOMER


def test_a_second_byte_order_mark_is_not() -> None:
    assert refusal(b"\xef\xbb\xbf" * 2 + json.dumps(MINIMAL).encode()) == ("not JSON", "line 1 column 1")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig"])
def test_other_encodings_than_utf_8_are_invalid(encoding: str) -> None:
    body = json.dumps(MINIMAL).encode(encoding)
    if encoding == "utf-8-sig":
        assert parse_body(body).customer_id == CUSTOMER
    else:
        assert refusal(body)[0] in {"not UTF-8", "not JSON"}


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


# Customer and family


@pytest.mark.parametrize("name", ["customerId", "productFamily"])
@pytest.mark.parametrize("value", [None, 1, True, [], {}, ["Azure"]])
def test_customer_and_family_are_strings(name: str, value: object) -> None:
    assert refusal_of({**MINIMAL, name: value}) == ("not a string", f"$.{name}")


@pytest.mark.parametrize("name", ["customerId", "productFamily"])
def test_customer_and_family_are_required(name: str) -> None:
    assert refusal_of({key: value for key, value in MINIMAL.items() if key != name}) == ("missing", f"$.{name}")


def test_a_customer_id_is_accepted_in_any_case_and_kept_in_lower_case() -> None:
    assert parse_document({**MINIMAL, "customerId": CUSTOMER.upper()}).customer_id == CUSTOMER


@pytest.mark.parametrize(
    "value",
    [
        "",
        CUSTOMER.replace("-", ""),
        f"{{{CUSTOMER}}}",
        f"({CUSTOMER})",
        f"urn:uuid:{CUSTOMER}",
        f" {CUSTOMER}",
        f"{CUSTOMER}\n",
        f"{CUSTOMER}0",
        CUSTOMER[:-1],
        CUSTOMER[:-1] + "g",
        CUSTOMER[:-1] + "\N{ARABIC-INDIC DIGIT THREE}",  # a digit, but none of ASCII's
        CUSTOMER[:-1] + "\N{FULLWIDTH DIGIT SIX}",
        CUSTOMER.replace("-", "\N{HYPHEN}"),
        "2f3e9a105-b1c-4d6e-8f70-a1b2c3d4e5f6",
        CUSTOMER[:-1] + "\ud800",
    ],
)
def test_what_only_looks_like_a_guid_is_invalid(value: str) -> None:
    reason = "not a GUID (8-4-4-4-12 hexadecimal digits)"
    assert refusal_of({**MINIMAL, "customerId": value}) == (reason, "$.customerId")


@pytest.mark.parametrize(
    ("value", "canonical"), [("azure", "Azure"), ("AZURE", "Azure"), ("aZURE PLAN", "Azure plan"), ("kite", "Kite")]
)
def test_a_family_is_compared_without_case_and_kept_in_its_canonical_spelling(value: str, canonical: str) -> None:
    assert parse_document({**MINIMAL, "productFamily": value}).product_family == canonical


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Office",
        "Azure ",
        " Azure",
        "Azure\n",
        "Azur",
        "\N{KELVIN SIGN}ite",
        "\uff21zure",
        "\ud800",
    ],
)
def test_a_family_that_may_not_be_asked_for_is_invalid(value: str) -> None:
    assert refusal_of({**MINIMAL, "productFamily": value}) == (
        "not one of: Azure, Azure plan, Kite",
        "$.productFamily",
    )


# The request id

VISIBLE = "".join(map(chr, range(0x21, 0x7F)))


@pytest.mark.parametrize("request_id", ["r", "R", VISIBLE, "x" * 128, "a/b\\c#d?e%2f|'\""])
def test_a_request_id_is_kept_as_it_is(request_id: str) -> None:
    assert parse_document({**MINIMAL, "requestId": request_id}).request_id == request_id


@pytest.mark.parametrize(
    "request_id",
    [
        "",
        "x" * 129,
        "a b",
        "a\n",
        "\t",
        "\x7f",
        "\x20",
        "é",
        "\u0661",
        "\ud800",
        7,
        True,
        [],
        {},
        1.5,
    ],
)
def test_any_other_request_id_is_invalid(request_id: object) -> None:
    assert refusal_of({**MINIMAL, "requestId": request_id}) == (
        "not 1 to 128 visible ASCII characters",
        "$.requestId",
    )


@pytest.mark.parametrize("document", [MINIMAL, {**MINIMAL, "requestId": None}])
def test_without_a_request_id_the_message_id_is_taken(document: dict[str, object]) -> None:
    assert parse_document(document, "message-1").request_id == "message-1"


@pytest.mark.parametrize("message_id", [None, "", "a b", "é", "x" * 129])
def test_where_the_message_id_breaks_the_same_rule_the_place_in_the_queue_is_taken(message_id: str | None) -> None:
    assert parse_document(MINIMAL, message_id).request_id == f"seq-7-{round(ENQUEUED.timestamp() * 1000)}"


def test_the_same_id_elsewhere_is_another_request() -> None:
    ids = {
        parse_document({"customerId": customer, "productFamily": family, "requestId": "r"}).correlation_id
        for customer in (CUSTOMER, CUSTOMER.replace("2", "3"))
        for family in ("Azure", "Kite")
    }
    assert len(ids) == 4


def test_a_redelivery_in_another_spelling_is_the_same_request() -> None:
    first = parse_document({**MINIMAL, "requestId": "r"})
    second = parse_document({"customerId": CUSTOMER.upper(), "productFamily": "AZURE", "requestId": "r"})
    assert first == second
    assert first.correlation_id == second.correlation_id


# CloudEvents


def test_the_request_is_the_data_of_a_cloudevents_envelope() -> None:
    request = parse_document({**EVENT, "data": {**MINIMAL, "requestId": "r1"}, "customerId": 7})
    assert request == UpgradeRequest(CUSTOMER, "Azure", "r1", ENQUEUED)


@pytest.mark.parametrize("data", [MINIMAL, {**MINIMAL, "requestId": None}])
def test_without_a_request_id_in_the_data_the_id_of_the_event_is_taken(data: dict[str, object]) -> None:
    assert parse_document({**EVENT, "data": data}).request_id == "event-1"


@pytest.mark.parametrize("event_id", [None, "", "a b", 7, "é", "x" * 129, {}])
def test_an_event_id_that_breaks_the_rule_gives_way_to_the_message_id(event_id: object) -> None:
    assert parse_document({**EVENT, "id": event_id, "data": MINIMAL}).request_id == "message-1"


def test_without_any_usable_id_an_event_is_named_by_its_place_in_the_queue() -> None:
    assert parse_document({**EVENT, "id": "", "data": MINIMAL}, None).request_id.startswith("seq-7-")


def test_a_wrong_request_id_in_the_data_is_invalid_whatever_the_event_id() -> None:
    where = refusal_of({**EVENT, "data": {**MINIMAL, "requestId": "a b"}})[1]
    assert where == "$.data.requestId"


@pytest.mark.parametrize("version", ["0.3", "1", "1.0 ", "", None, 1.0, ["1.0"]])
def test_an_envelope_of_another_version_is_invalid(version: object) -> None:
    document = {**EVENT, "specversion": version, "data": MINIMAL}
    assert refusal_of(document) == ("not a CloudEvents 1.0 envelope", "$.specversion")


@pytest.mark.parametrize("extra", [{}, {"data": None}, {"data": []}, {"data": "{}"}, {"data_base64": "e30="}])
def test_an_envelope_without_an_object_is_invalid(extra: dict[str, object]) -> None:
    assert refusal_of({**EVENT, **MINIMAL, **extra}) == ("the envelope holds no object", "$.data")


@pytest.mark.parametrize("name", ["customerId", "productFamily"])
def test_what_is_wrong_in_an_envelope_is_located_in_its_data(name: str) -> None:
    assert refusal_of({**EVENT, "data": {**MINIMAL, name: 1}}) == ("not a string", f"$.data.{name}")


# Anything

NAMES = ["customerId", "productFamily", "requestId", "specversion", "data", "id", "x"]
TEXTS = st.one_of(st.text(max_size=8), st.sampled_from([CUSTOMER, CUSTOMER.upper(), "Azure", "AZURE", "1.0", "r1"]))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=5)),
    max_leaves=12,
)


def outcome(body: bytes) -> UpgradeRequest | InvalidRequest:
    try:
        return parse_body(body)
    except InvalidRequest as refused:
        return refused


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_an_invalid_one(body: bytes) -> None:
    outcome(body)


@given(DOCUMENTS, st.booleans())
def test_any_json_is_a_request_or_an_invalid_one(document: Any, escaped: bool) -> None:
    found = outcome(json.dumps(document, ensure_ascii=escaped).encode("utf-8", "surrogatepass"))
    if isinstance(found, UpgradeRequest):
        assert found.customer_id == CUSTOMER
        assert found.product_family in FAMILIES
        assert found.request_id.isascii()


@given(st.text(alphabet=st.sampled_from("§éżКё\ud800"), min_size=3, max_size=20), st.sampled_from(NAMES))
def test_the_reason_never_quotes_the_body(text: str, name: str) -> None:
    data = {**MINIMAL, name: text}
    for document in (data, {**EVENT, "data": data}, {text: {**EVENT, "data": text}}, text, [text]):
        found = outcome(json.dumps(document).encode())
        if isinstance(found, InvalidRequest):
            shown = f"{found} {found!r} {found.reason} {found.where} {found.__cause__} {found.__suppress_context__}"
            assert not set(text) & set(shown)
            assert found.__suppress_context__ or found.__context__ is None
