"""The contract of a message, sentence by sentence: customer, family and request id."""

import pytest

from tests.fakes import CUSTOMER
from tests.unit.message_bodies import ENQUEUED, MINIMAL, parse_document, refusal_of

VISIBLE = "".join(map(chr, range(0x21, 0x7F)))


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
