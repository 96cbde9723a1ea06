"""Many rows given up, one after the other: which come first, and what stops all of them."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from shared import errors
from shared.models import Reason, State, Status
from tests.fakes import NOON, PROCESSED, Fate, World
from tests.unit.rows import in_flight, result
from upgradectl.errors import CommandError
from upgradectl.stuck import give_up_all, stuck

LONG_AGO = NOON - timedelta(days=30)


def world_of(*changes: dict[str, Any]) -> World:
    """Rows whose outcome is unknown, of customers 0, 1..."""
    world = World()
    for number, changed in enumerate(changes):
        row = {"customer_id": f"00000000-0000-4000-8000-{number:012d}", "attempts": 1, "next_attempt_at": LONG_AGO}
        world.store.insert_in_flight(in_flight(**(row | changed)))
    return world


def given_up(world: World) -> list[tuple[int, str]]:
    """What became of each customer's row, up to where it stopped."""
    found: list[tuple[int, str]] = []
    with suppress(CommandError):
        for row, one in give_up_all(world.ports, stuck(world.ports, world.store.list_in_flight()).rows, lambda _: None):
            found.append((int(row.customer_id[-1]), one.ending))
    return found


DENIED = errors.AccessDenied(code="2032", http_status=403)


def test_access_that_is_denied_for_one_customer_stops_nobody_else() -> None:
    world = world_of({}, {}, {})
    world.partner_center.eligibility_fates.append(DENIED)
    assert given_up(world) == [(0, "unanswered"), (1, "ended"), (2, "ended")]


def test_access_that_is_denied_twice_before_anything_is_answered_stops_it() -> None:
    world = world_of({}, {}, {})
    world.partner_center.eligibility_fates += [DENIED, errors.Unauthorized(http_status=401)]
    assert given_up(world) == [(0, "unanswered"), (1, "unanswered")]


@pytest.mark.parametrize("answer", [PROCESSED, errors.RefusedForNow(code="900130", http_status=403)])
def test_access_that_is_denied_after_an_answer_stops_nothing(answer: Fate) -> None:
    world = world_of({}, {}, {}, {})
    world.partner_center.eligibility_fates += [answer, DENIED, DENIED]
    assert [number for number, _ in given_up(world)] == [0, 1, 2, 3]


def test_an_upgrade_that_timed_out_proves_no_access() -> None:
    overdue = {"state": State.IN_PROGRESS, "upgrade_id": "u", "submitted_at": LONG_AGO, "outcome_unknown": False}
    world = world_of({}, {}, {}, overdue)
    world.partner_center.eligibility_fates += [DENIED, DENIED]
    assert given_up(world) == [(3, "ended"), (0, "unanswered"), (1, "unanswered")]


def test_customers_whose_access_was_denied_before_come_last() -> None:
    world = world_of({"denied_code": "2032"}, {"last_reason": Reason.CREDENTIALS}, {})
    world.partner_center.eligibility_fates += [PROCESSED, DENIED, DENIED]
    assert given_up(world) == [(2, "ended"), (0, "unanswered"), (1, "unanswered")]


@pytest.mark.parametrize("trouble", [errors.Throttled(), errors.TokenUnavailable("out")])
def test_what_every_row_would_meet_stops_it_at_once(trouble: errors.CallFailed) -> None:
    world = world_of({}, {})
    world.partner_center.eligibility_fates.append(trouble)
    assert given_up(world) == [(0, "unanswered")]


def test_a_row_that_somebody_else_has_ended_has_their_verdict() -> None:
    world = world_of({}, {})
    (first, second) = found = list(world.store.list_in_flight())
    for row, status in ((first, Status.COMPLETED), (second, Status.DUPLICATE)):
        world.store.insert_result(result(customer_id=row.customer_id, status=status))
        world.store.delete_in_flight(row)
    statuses = [one.status for _, one in give_up_all(world.ports, found, lambda _: None)]
    assert statuses == [Status.COMPLETED, Status.DUPLICATE]


def test_the_wait_is_the_longest_since_leases_run_out_side_by_side() -> None:
    world = world_of({"next_attempt_at": NOON}, {"next_attempt_at": NOON + timedelta(seconds=90)})
    assert stuck(world.ports, world.store.list_in_flight()).wait_s == 150
