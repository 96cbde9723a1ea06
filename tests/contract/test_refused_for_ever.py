"""A call that is refused again and again ends after so many times, or so long; over a socket."""

import pytest

from shared.models import Status
from tests.contract.steps import Step, answer, code_of, forever, refusal
from tests.contract.use_cases import UseCases


def _tries_until_the_end(system: UseCases, customer_id: str) -> int:
    tries = 1
    while system.result(customer_id) is None:
        system.touch(customer_id)
        tries += 1
        assert tries < 100
    return tries


@pytest.mark.parametrize(
    "step", [refusal(400, 999999), answer(404, "{}"), answer(400, '{"description": "no"}')], ids=code_of
)
def test_a_create_call_that_is_refused_without_a_known_reason_ends_after_so_many(step: Step, system: UseCases) -> None:
    customer_id = system.partner.customer({"create": [forever(step)]})
    system.submit(customer_id)
    assert _tries_until_the_end(system, customer_id) == system.world.settings.refusals_max
    result = system.ended(customer_id)
    assert (result.status, result.error_code) == (Status.REJECTED, code_of(step))


def test_a_create_call_that_is_to_be_tried_later_ends_after_so_many_days(system: UseCases) -> None:
    customer_id = system.partner.customer("bought-too-recently")
    system.submit(customer_id)
    asked_at = system.clock.now()
    assert _tries_until_the_end(system, customer_id) > system.world.settings.refusals_max
    result = system.ended(customer_id)
    assert (result.status, result.error_code) == (Status.REJECTED, "900130")
    assert (result.finished_at - asked_at).days >= system.world.settings.refusal_deadline_d


@pytest.mark.parametrize("code", ["900105", "900130", "999999"])
def test_a_status_call_that_is_refused_for_ever_times_out_past_its_deadline_only(code: str, system: UseCases) -> None:
    customer_id = system.partner.customer({"status": [forever(refusal(403, code))]})
    system.accepted(customer_id)
    submitted_at = system.row(customer_id).submitted_at
    _tries_until_the_end(system, customer_id)
    result = system.ended(customer_id)
    assert submitted_at
    assert (result.status, result.error_code) == (Status.TIMED_OUT, code)
    assert (result.finished_at - submitted_at).total_seconds() >= system.world.settings.upgrade_deadline_h * 3600


def test_an_upgrade_that_is_lost_is_created_again_once_and_then_failed(system: UseCases) -> None:
    customer_id = system.partner.customer("lost-twice")
    system.submit(customer_id)
    _tries_until_the_end(system, customer_id)
    result = system.ended(customer_id)
    assert (result.status, result.error_code) == (Status.FAILED, "900106")
    assert len(system.true_upgrade_ids(customer_id)) == 2
