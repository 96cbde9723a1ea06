"""The contract of a message, sentence by sentence: a CloudEvents envelope."""

import pytest

from shared.models import UpgradeRequest
from tests.fakes import CUSTOMER
from tests.unit.message_bodies import ENQUEUED, EVENT, MINIMAL, parse_document, refusal_of


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
