"""Step 3: before every create call, what the customer's results of this family say."""

import pytest

from shared.models import InFlightUpgrade, Status, UpgradeResult
from shared.polling import touch
from shared.results import finish
from shared.upgrades import check_and_submit, claim
from tests.fakes import NOON, World, request

NOT_COMPLETED = [Status.PARTIALLY_COMPLETED, Status.FAILED, Status.REJECTED, Status.TIMED_OUT, Status.CANCELLED]


def _ended(world: World, request_id: str, status: Status) -> None:
    """That request came and ended earlier."""
    asked = request(request_id)
    world.store.insert_result(
        UpgradeResult(
            customer_id=asked.customer_id,
            product_family=asked.product_family,
            request_id=request_id,
            status=status,
            requested_at=NOON,
            finished_at=NOON,
            correlation_id=asked.correlation_id,
            duplicate_of="r0" if status is Status.DUPLICATE else None,
        )
    )


def _claim_and_check(world: World, request_id: str) -> bool:
    lease = claim(world.ports, request(request_id))
    assert lease
    return bool(check_and_submit(world.ports, lease))


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.DUPLICATE])
def test_a_request_that_has_its_verdict_is_dropped_as_a_repeat(status: Status) -> None:
    world = World()
    _ended(world, "r1", status)
    before = world.result("r1")
    assert not _claim_and_check(world, "r1")
    assert not world.store.in_flight
    assert world.result("r1") == before
    assert not world.partner_center.creates


def test_after_a_completed_one_another_request_ends_as_its_duplicate() -> None:
    world = World()
    _ended(world, "r1", Status.COMPLETED)
    assert not _claim_and_check(world, "r2")
    assert world.result("r2").status is Status.DUPLICATE
    assert world.result("r2").duplicate_of == "r1"
    assert not world.store.in_flight
    assert not world.partner_center.creates


@pytest.mark.parametrize("status", NOT_COMPLETED)
def test_after_any_other_end_a_new_create_call_is_made(status: Status) -> None:
    world = World()
    _ended(world, "r1", status)
    assert _claim_and_check(world, "r2")
    assert len(world.partner_center.creates) == 1


def test_a_requests_own_duplicate_is_no_verdict() -> None:
    world = World()
    _ended(world, "r1", Status.DUPLICATE)
    assert _claim_and_check(world, "r1")
    assert len(world.partner_center.creates) == 1


def test_a_result_of_another_family_says_nothing() -> None:
    world = World()
    asked = request("r1")
    world.store.insert_result(
        UpgradeResult(
            customer_id=asked.customer_id,
            product_family="Other",
            request_id="r0",
            status=Status.COMPLETED,
            requested_at=NOON,
            finished_at=NOON,
            correlation_id="c",
        )
    )
    assert _claim_and_check(world, "r1")


def test_a_poller_checks_as_well_before_it_creates() -> None:
    world = World()
    lease = claim(world.ports, request("r2"))
    assert lease
    _ended(world, "r1", Status.COMPLETED)
    world.clock.advance(world.settings.lease_s)
    assert touch(world.ports, world.row) == frozenset()
    assert world.result("r2").duplicate_of == "r1"
    assert not world.partner_center.creates


def test_a_verdict_replaces_a_duplicate_and_nothing_replaces_a_verdict() -> None:
    world = World()
    _ended(world, "r1", Status.DUPLICATE)
    finish(world.ports, _row(world), Status.COMPLETED)
    assert world.result("r1").status is Status.COMPLETED
    finish(world.ports, _row(world), Status.FAILED)
    assert world.result("r1").status is Status.COMPLETED


def _row(world: World) -> InFlightUpgrade:
    world.store.in_flight.clear()
    lease = claim(world.ports, request("r1"))
    assert lease
    return lease.row
