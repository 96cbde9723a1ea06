"""Models as table entities and back."""

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import entities
from shared.entities import columns, escaped, from_entity, result_columns, result_from_entity
from shared.models import (
    GateReason,
    GateState,
    InFlightUpgrade,
    Position,
    Reason,
    State,
    Status,
    UpgradeResult,
)
from tests.fakes import CUSTOMER, NOON
from tests.unit.rows import in_flight, result

ETAG = "W/\"datetime'2026-03-01T12%3A00%3A00Z'\""


class StoredEntity(dict[str, Any]):
    """What the SDK returns: columns, and the etag beside them."""

    metadata: Mapping[str, Any] = {"etag": ETAG}


def stored(key: tuple[str, str], values: Mapping[str, Any]) -> StoredEntity:
    return StoredEntity(entities.entity(key, values))


INSTANTS = st.datetimes(NOON.replace(2000, tzinfo=None), NOON.replace(2100, tzinfo=None), timezones=st.just(UTC))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
VISIBLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=128)
COUNTS = st.integers(0, 2**31 - 1)


def filled(model: type, **given: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Any instance of a model, by the names and types of its fields."""
    by_type = {
        str: TEXTS,
        int: COUNTS,
        bool: st.booleans(),
        datetime: INSTANTS,
        str | None: st.none() | TEXTS,
        datetime | None: st.none() | INSTANTS,
        Reason | None: st.none() | st.sampled_from(Reason),
        GateReason | None: st.none() | st.sampled_from(GateReason),
        State: st.sampled_from(State),
        Status: st.sampled_from(Status),
        Position: st.sampled_from(Position),
    }
    strategies = {f.name: by_type[f.type] for f in fields(model) if f.name not in given}  # type: ignore[index]
    return st.builds(model, **(strategies | given | {"etag": st.just(ETAG)}))


# Keys


@pytest.mark.parametrize(
    ("request_id", "key"),
    [("abc-D_1.2", "abc-D_1.2"), ("a/b", "a~2fb"), ("~", "~7e"), ("%2f", "~252f"), ("a|b", "a~7cb"), ("!", "~21")],
)
def test_a_request_id_keeps_its_harmless_characters(request_id: str, key: str) -> None:
    assert escaped(request_id) == key


@given(VISIBLE)
def test_an_escaped_request_id_can_be_part_of_any_key(request_id: str) -> None:
    assert re.fullmatch(r"(?:[A-Za-z0-9._-]|~[0-9a-f]{2})+", escaped(request_id))


@given(VISIBLE)
def test_an_escaped_request_id_can_be_read_back_so_no_two_share_a_key(request_id: str) -> None:
    assert re.sub("~(..)", lambda match: chr(int(match[1], 16)), escaped(request_id)) == request_id


def test_the_longest_key_is_within_the_services_limit() -> None:
    longest = result(product_family="x" * 64, request_id="~" * 128)
    partition, row = entities.result_key(longest)
    assert partition == CUSTOMER
    assert len((partition + row).encode("utf-16-le")) <= 1024


def test_keys_hold_the_family_in_lower_case_and_the_request_id_as_it_is() -> None:
    assert entities.in_flight_key(in_flight(product_family="Azure Plan")) == ("open", f"{CUSTOMER}|azure plan")
    assert entities.result_key(result(product_family="Azure", request_id="R/1")) == (CUSTOMER, "azure|R~2f1")


# Round trips


@given(filled(InFlightUpgrade))
def test_a_row_in_flight_comes_back_as_it_was(row: InFlightUpgrade) -> None:
    assert from_entity(InFlightUpgrade, stored(("open", "x"), columns(row))) == row


@given(filled(GateState))
def test_a_gate_comes_back_as_it_was(state: GateState) -> None:
    assert from_entity(GateState, stored(("gate", "x"), columns(state))) == state


ITEMS = st.lists(st.dictionaries(TEXTS, TEXTS | st.integers() | st.lists(TEXTS, max_size=2), max_size=3), max_size=4)


@given(filled(UpgradeResult, line_items=ITEMS.map(tuple), line_items_omitted=st.just(0)))
def test_a_result_comes_back_as_it_was(row: UpgradeResult) -> None:
    assert result_from_entity(stored(("x", "y"), result_columns(row))) == row


def test_columns_are_named_in_camel_case_and_hold_plain_values() -> None:
    values = columns(in_flight(state=State.DEFERRED, last_reason=Reason.GATE))
    assert values["customerId"] == CUSTOMER
    assert (values["state"], values["lastReason"]) == ("Deferred", "gate")
    assert {type(value) for value in values.values()} == {str, int, bool, datetime}
    assert values["nextAttemptAt"] == NOON


def test_none_leaves_a_column_out_and_the_etag_is_no_column() -> None:
    assert {"upgradeId", "lastReason", "submittedAt", "etag"}.isdisjoint(columns(in_flight(etag=ETAG)))


def test_columns_of_in_flight_rows_are_those_of_the_table() -> None:
    names = set(columns(in_flight(**{f.name: 1 for f in fields(InFlightUpgrade) if f.name != "etag"})))
    assert names == {
        *("customerId", "productFamily", "requestId", "state", "nextAttemptAt", "msRequestId", "correlationId"),
        "answeredMsRequestId",
        *("outcomeUnknown", "requestedAt", "claimedAt", "submittedAt", "upgradeId", "adopted", "attempts", "polls"),
        *("refusals", "refusedAt", "refusedCode", "deniedCode", "setbacks", "unauthorized", "recreated"),
        *("lastReason", "lastCode", "lastDescription"),
    }


def test_columns_of_results_are_those_of_the_table() -> None:
    plain = {f.name: 1 for f in fields(UpgradeResult) if f.name not in ("etag", "line_items", "line_items_omitted")}
    assert set(result_columns(result(**plain, line_items=({"a": 1},)))) == {
        *("customerId", "productFamily", "requestId", "status", "duplicateOf", "upgradeId", "adopted", "requestedAt"),
        *("claimedAt", "submittedAt", "finishedAt", "attempts", "polls", "serverStatus", "errorCode"),
        *("errorDescription", "lineItems", "correlationId", "msRequestId"),
    }


def test_a_long_text_is_cut() -> None:
    assert columns(in_flight(last_description="x" * 5000))["lastDescription"] == "x" * 4096


def test_columns_that_the_model_does_not_know_are_left_alone() -> None:
    values = {**columns(in_flight()), "addedLater": 1, "Timestamp": NOON}
    assert from_entity(InFlightUpgrade, stored(("open", "x"), values)) == in_flight(etag=ETAG)


def test_columns_that_are_missing_have_the_models_defaults() -> None:
    values = {name: value for name, value in columns(in_flight()).items() if name not in {"setbacks", "adopted"}}
    assert from_entity(InFlightUpgrade, stored(("open", "x"), values)) == in_flight(etag=ETAG)


@pytest.mark.parametrize(
    "instant", [NOON, NOON.replace(tzinfo=None), NOON.astimezone(timezone(timedelta(hours=2)))], ids=str
)
def test_an_instant_comes_back_aware_and_in_utc(instant: datetime) -> None:
    values = {**columns(in_flight()), "nextAttemptAt": instant}
    loaded = from_entity(InFlightUpgrade, stored(("open", "x"), values)).next_attempt_at
    assert (loaded, loaded.tzinfo) == (NOON, UTC)


class SdkInstant(datetime):
    """What the SDK returns: it carries the service's own text, which would be sent back in the place of the value."""


def test_an_instant_of_the_sdks_own_kind_comes_back_as_a_plain_one() -> None:
    values = {**columns(in_flight()), "nextAttemptAt": SdkInstant.fromtimestamp(NOON.timestamp(), UTC)}
    loaded = from_entity(InFlightUpgrade, stored(("open", "x"), values)).next_attempt_at
    assert (loaded, type(loaded)) == (NOON, datetime)


@pytest.mark.parametrize("value", ["NoSuchState", 7, NOON, None], ids=str)
def test_a_state_that_is_none_makes_no_row(value: object) -> None:
    with pytest.raises(ValueError, match="State"):
        from_entity(InFlightUpgrade, stored(("open", "x"), {**columns(in_flight()), "state": value}))


# Line items


def item(status: str, number: int, size: int = 0) -> dict[str, Any]:
    return {"status": status, "number": number, "text": "x" * size}


def chunks(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in values.items() if re.fullmatch(r"lineItems\d*", name)}


def size_in_table(values: Mapping[str, Any]) -> int:
    """As "Understanding the Table service data model" counts it, with 8 bytes for whatever is not a text."""
    return sum(8 + 2 * len(name) + (4 + 2 * len(v) if isinstance(v, str) else 8) for name, v in values.items())


def test_without_line_items_there_is_no_column_for_them() -> None:
    assert not chunks(result_columns(result()))


def test_line_items_are_continued_in_further_columns() -> None:
    items = tuple(item("Completed", number, size=4000) for number in range(20))
    values = result_columns(result(line_items=items))
    assert list(chunks(values)) == ["lineItems", "lineItems2", "lineItems3"]
    assert all(len(text) <= 32_000 for text in chunks(values).values())
    assert json.loads("".join(chunks(values).values())) == list(items)
    assert "lineItemsOmitted" not in values
    assert result_from_entity(stored(("x", "y"), values)).line_items == items


@pytest.mark.parametrize("word", ["Failed", "FAILURE", "Cancelled", "canceled"])
def test_where_not_all_line_items_fit_failed_ones_are_kept_first(word: str) -> None:
    done = [item("Completed", number, size=4000) for number in range(150)]
    failed = [item(word, number) for number in (200, 201)]
    values = result_columns(result(line_items=(*done, *failed)))
    kept = json.loads("".join(chunks(values).values()))
    assert kept[:2] == failed
    assert kept[2:] == done[: len(kept) - 2]
    assert 100 < len(kept) == 152 - values["lineItemsOmitted"] < 152


@pytest.mark.parametrize("character", ["x", "ä", "\N{PILE OF POO}"])
@pytest.mark.parametrize(("size", "count"), [(0, 20_000), (100, 4000), (4096, 150), (50_000, 12), (500_000, 2)])
def test_a_result_of_any_size_fits_into_a_row(size: int, count: int, character: str) -> None:
    many = ({"status": "Failed", "text": character * size},) * count
    texts = dict.fromkeys(("error_description", "error_code", "server_status"), "\N{PILE OF POO}" * 5000)
    values = result_columns(result(line_items=many, request_id="x" * 128, **texts))
    assert all(len(value.encode("utf-16-le")) <= 65_536 for value in values.values() if isinstance(value, str))
    assert size_in_table(values) + 3 * 4096 * 2 <= 1024 * 1024
    loaded = result_from_entity(stored(("x", "y"), values))
    assert len(loaded.line_items) + loaded.line_items_omitted == len(many)


def test_half_a_surrogate_pair_in_a_line_item_can_be_stored() -> None:
    values = result_columns(result(line_items=({"text": "\ud800"},)))
    assert all(value.isascii() for value in chunks(values).values())
