"""Which upgrade a create call has led to: by its Location, or as eligibility and status calls confirm it."""

import time
from uuid import uuid4

import pytest

from shared import errors
from shared.answers import CreatedUpgrade
from tests.contract.caller import Caller

# Accepted


@pytest.mark.parametrize("scenario", ["completes", "location-absolute", "location-slash"])
def test_an_accepted_upgrade_is_known_by_its_location(caller: Caller, scenario: str) -> None:
    row = caller.row(scenario)
    created = caller.create(row)
    assert [created.upgrade_id] == caller.upgrade_ids(row)
    assert not created.adopted
    assert caller.kinds(row) == ["create"]


@pytest.mark.parametrize(
    "scenario", ["location-missing", "location-elsewhere", "location-garbage", "empty-accept", "html-accept"]
)
def test_where_the_location_is_of_no_use_eligibility_tells_the_id(caller: Caller, scenario: str) -> None:
    row = caller.row(scenario)
    created = caller.create(row)
    assert [created.upgrade_id] == caller.upgrade_ids(row)
    assert not created.adopted
    assert caller.kinds(row) == ["create", "eligibility"]


def test_a_2xx_that_led_to_nothing_leaves_the_outcome_unknown(caller: Caller) -> None:
    row = caller.row({"create": [{"do": "answer", "http": 202}]})
    error = caller.refused(row)
    assert type(error) is errors.OutcomeUnknown
    assert caller.kinds(row) == ["create", "eligibility"]


# In place already


@pytest.mark.parametrize("scenario", ["already-in-progress", "already-completed", "already-completed-id-mismatch"])
def test_an_upgrade_that_is_in_place_is_adopted_when_eligibility_confirms_it(caller: Caller, scenario: str) -> None:
    row = caller.row(scenario)
    (upgrade_id,) = caller.upgrade_ids(row)
    assert caller.create(row) == CreatedUpgrade(upgrade_id, adopted=True)
    assert caller.kinds(row) == ["create", "eligibility"]


ELIGIBLE = {"do": "answer", "http": 200, "text": '{"isEligible": true}'}


def test_where_eligibility_names_none_a_status_call_may_confirm_the_id_of_the_text(caller: Caller) -> None:
    row = caller.row({"existing": "in progress", "eligibility": [ELIGIBLE]})
    (upgrade_id,) = caller.upgrade_ids(row)
    assert caller.create(row) == CreatedUpgrade(upgrade_id, adopted=True)
    assert caller.kinds(row) == ["create", "eligibility", "status"]


def test_an_id_in_a_text_that_nothing_confirms_is_not_adopted(caller: Caller) -> None:
    other = caller.row()
    theirs = caller.create(other).upgrade_id
    text = f"Upgrades {uuid4()} and {theirs} are in progress."
    row = caller.row({"create": [{"do": "refuse", "http": 409, "code": 900109, "description": text}]})
    error = caller.refused(row)
    assert type(error) is errors.RefusedForNow
    assert (error.code, error.http_status, error.understood) == ("900109", 409, False)
    assert caller.kinds(row) == ["create", "eligibility", "status", "status"]


# Not confirmed


@pytest.mark.parametrize("scenario", [{"existing": "completed"}, {"create": [{"do": "location", "value": None}]}])
@pytest.mark.parametrize(
    ("step", "trouble"),
    [
        ({"do": "throttle", "retry_after": 7}, errors.Throttled),
        ({"do": "unauthorized"}, errors.Unauthorized),
        ({"do": "refuse", "http": 403, "code": 2032}, errors.AccessDenied),
        ({"do": "refuse", "http": 400, "code": 900118}, errors.RefusedForGood),
        ({"do": "error", "http": 503}, errors.OutcomeUnknown),
        ({"do": "cut", "when": "before", "times": 2}, errors.OutcomeUnknown),  # once on the kept connection
        ({"do": "answer", "http": 200, "text": "<html>"}, errors.OutcomeUnknown),
    ],
    ids=lambda value: value["do"] if isinstance(value, dict) else "",
)
def test_while_the_id_is_not_confirmed_the_outcome_is_unknown_and_the_same_call_finds_it(
    caller: Caller, scenario: dict[str, object], step: dict[str, object], trouble: type[errors.CallFailed]
) -> None:
    row = caller.row({**scenario, "eligibility": [step]})
    error = caller.refused(row)
    assert isinstance(error, errors.OutcomeUnknown)
    assert type(error.trouble) is trouble
    if isinstance(error.trouble, errors.Throttled):
        assert error.trouble.retry_after_s == 7
    assert [caller.create(row).upgrade_id] == caller.upgrade_ids(row)
    creates = [call for call in caller.calls(row) if call["kind"] == "create"]
    assert [call["msRequestId"] for call in creates] == [row.ms_request_id] * 2


def test_a_confirming_call_that_is_held_back_leaves_the_outcome_unknown(caller: Caller) -> None:
    row, answers = caller.row("location-missing"), iter([True, False])
    with pytest.raises(errors.OutcomeUnknown) as raised:
        caller.client.create_upgrade(row, lease_ends=caller.clock.monotonic() + 60, may_send=lambda: next(answers))
    assert isinstance(raised.value.trouble, errors.HeldBack)
    assert caller.kinds(row) == ["create"]


def test_the_confirmation_ends_with_the_lease(caller: Caller) -> None:
    caller = caller.in_haste()
    no_location = {"do": "slow", "seconds": 0.25, "then": {"do": "location", "value": None}}
    row = caller.row({"create": [no_location], "eligibility": [{"do": "drip"}]})
    began = time.monotonic()
    with pytest.raises(errors.OutcomeUnknown):
        caller.create(row, lease_s=caller.timeouts.total_s + 0.05)
    assert time.monotonic() - began < 0.25 + caller.timeouts.total_s - 0.05
    assert caller.kinds(row) == ["create", "eligibility"]
