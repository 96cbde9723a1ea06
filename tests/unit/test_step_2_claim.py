"""Step 2: insert the row in flight, or find out whose row is in the way."""

from dataclasses import replace

import pytest

from shared.errors import StoreUnavailable
from shared.models import GateReason, GateState, InFlightUpgrade, Position, Reason, State, Status, UpgradeRequest
from shared.results import finish
from shared.upgrades import claim
from tests.fakes import NOON, InMemoryStore, World, request


def test_a_claim_inserts_the_row_with_a_lease_and_a_new_ms_request_id() -> None:
    world = World()
    lease = claim(world.ports, request())
    assert lease is not None
    assert world.row == lease.row
    assert world.row.state is State.ACCEPTED
    assert (world.row.next_attempt_at - NOON).total_seconds() == world.settings.lease_s
    assert world.row.ms_request_id
    assert world.row.outcome_unknown  # from here on a create call may be on its way
    assert lease.ends == world.clock.monotonic() + world.settings.lease_s
    assert not lease.unknown_before


@pytest.mark.parametrize("position", [Position.CLOSED, Position.RECOVERING, Position.PAUSED])
def test_where_the_gate_is_not_open_the_claim_is_deferred_and_due_at_once(position: Position) -> None:
    world = World()
    world.store.write_gate(GateState(position=position, reason=GateReason.OPERATOR))
    assert claim(world.ports, request()) is None
    assert world.row.state is State.DEFERRED
    assert world.row.next_attempt_at == NOON
    assert world.row.last_reason is Reason.GATE
    assert not world.row.outcome_unknown  # nothing was sent: an operator may withdraw it


class _GateOut(InMemoryStore):
    def get_gate(self) -> GateState:
        raise StoreUnavailable


def test_a_gate_that_cannot_be_read_is_not_open() -> None:
    world = World()
    assert claim(world.new_ports(gate_store=_GateOut()), request()) is None
    assert world.row.state is State.DEFERRED


def test_a_redelivered_message_finds_its_own_row_and_is_done() -> None:
    world = World()
    claim(world.ports, request())
    before = world.row
    assert claim(world.ports, request()) is None
    assert world.row == before
    assert not world.store.results


def test_another_request_for_the_customer_ends_as_duplicate_of_the_one_in_flight() -> None:
    world = World()
    claim(world.ports, request("r1"))
    assert claim(world.ports, request("r2")) is None
    assert world.result("r2").status is Status.DUPLICATE
    assert world.result("r2").duplicate_of == "r1"
    assert world.row.request_id == "r1"


def test_a_second_delivery_of_a_duplicate_writes_nothing_new() -> None:
    world = World()
    claim(world.ports, request("r1"))
    claim(world.ports, request("r2"))
    before = world.result("r2")
    claim(world.ports, request("r2"))
    assert world.result("r2") == before


def test_a_row_whose_request_has_its_verdict_is_a_leftover_and_is_cleared() -> None:
    world = World()
    claim(world.ports, request("r1"))
    leftover = world.row
    finish(world.ports, leftover, Status.FAILED)
    world.store.in_flight[leftover.key] = leftover  # as if the process had died before the delete
    lease = claim(world.ports, request("r2"))
    assert lease is not None
    assert world.row.request_id == "r2"


def test_a_row_whose_request_has_only_a_duplicate_is_no_leftover() -> None:
    world = World()
    claim(world.ports, request("r1"))
    claim(world.ports, request("r2"))
    world.store.in_flight[world.row.key] = replace(world.row, request_id="r2")
    assert claim(world.ports, request("r3")) is None
    assert world.result("r3").duplicate_of == "r2"


def test_a_withdrawn_row_in_the_way_is_ended_as_cancelled_and_the_other_request_is_claimed() -> None:
    world = World()
    world.store.write_gate(GateState(position=Position.PAUSED))
    claim(world.ports, request("r1"))
    world.store.update_in_flight(replace(world.row, state=State.WITHDRAWN))
    claim(world.ports, request("r2"))
    assert world.result("r1").status is Status.CANCELLED
    assert world.row.request_id == "r2"


class _GoneAtOnce(InMemoryStore):
    """The row that was in the way is deleted between the conflict and the look at it."""

    def get_in_flight(self, customer_id: str, product_family: str) -> InFlightUpgrade | None:
        self.in_flight.clear()
        return super().get_in_flight(customer_id, product_family)


def test_a_row_that_is_gone_by_the_time_of_the_look_is_claimed_again() -> None:
    world = World(store=_GoneAtOnce())
    claim(world.ports, request("r1"))
    lease = claim(world.ports, request("r2"))
    assert lease is not None
    assert world.row.request_id == "r2"


def test_the_same_request_id_of_another_customer_is_another_request() -> None:
    world = World()
    other = "99999999-0000-4000-8000-000000000000"
    assert claim(world.ports, request("r1"))
    assert claim(world.ports, request("r1", customer_id=other))
    assert len(world.store.in_flight) == 2


def test_a_storage_outage_is_raised_so_that_the_message_is_held() -> None:
    world = World()
    world.store.out = True
    with pytest.raises(StoreUnavailable):
        claim(world.ports, request())


def test_every_delivery_of_a_request_has_the_same_correlation_id() -> None:
    first, again = request("r1"), request("r1")
    other = UpgradeRequest(first.customer_id, first.product_family, "r2", NOON)
    assert first.correlation_id == again.correlation_id != other.correlation_id
