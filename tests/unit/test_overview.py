"""Totals of rows in flight, chains of duplicates, and how long it takes: pure."""

from datetime import timedelta

import pytest

from shared.models import Reason, State, Status, UpgradeResult
from tests.fakes import NOON
from tests.unit.rows import in_flight as row
from tests.unit.rows import result
from upgradectl.overview import Answer, Throughput, TimeLeft, in_flight, standings, time_left

HOUR = timedelta(hours=1)
DEADLINE = timedelta(hours=72)


def duplicate(request_id: str, of: str | None) -> UpgradeResult:
    return result(request_id=request_id, status=Status.DUPLICATE, duplicate_of=of)


def test_rows_are_counted_by_state_and_by_why_they_wait() -> None:
    rows = [
        row(state=State.DEFERRED, last_reason=Reason.GATE),
        row(state=State.DEFERRED, last_reason=Reason.GATE),
        row(state=State.DEFERRED, last_reason=Reason.THROTTLED),
        row(state=State.IN_PROGRESS, last_reason=Reason.THROTTLED),
        row(state=State.IN_PROGRESS),
    ]
    found = in_flight(iter(rows), NOON, DEADLINE)
    assert found.total == 5
    assert (found.in_state(State.DEFERRED), found.in_state(State.IN_PROGRESS), found.in_state(State.ACCEPTED)) == (
        3,
        2,
        0,
    )
    assert (found.waiting_for(Reason.GATE), found.waiting_for(Reason.THROTTLED)) == (2, 2)
    assert found.counts[State.IN_PROGRESS, None] == 1


def test_nothing_in_flight() -> None:
    found = in_flight([], NOON, DEADLINE)
    assert (found.total, found.overdue, found.oldest, found.last_attempt_at) == (0, 0, None, None)


def test_overdue_is_what_is_in_progress_past_the_deadline() -> None:
    old = NOON - DEADLINE
    rows = [
        row(state=State.IN_PROGRESS, submitted_at=old),
        row(state=State.IN_PROGRESS, submitted_at=old + timedelta(seconds=1)),
        row(state=State.DEFERRED, requested_at=old),
    ]
    assert in_flight(rows, NOON, DEADLINE).overdue == 1


def test_the_oldest_waits_for_a_create_call_and_was_not_told_to_try_later() -> None:
    rows = [
        row(state=State.IN_PROGRESS, requested_at=NOON - 9 * HOUR),
        row(last_reason=Reason.REFUSED_FOR_NOW, requested_at=NOON - 8 * HOUR),
        row(request_id="young", requested_at=NOON - HOUR),
        row(request_id="oldest", requested_at=NOON - 2 * HOUR),
        row(request_id="younger", requested_at=NOON),
    ]
    oldest = in_flight(rows, NOON, DEADLINE).oldest
    assert oldest
    assert oldest.request_id == "oldest"


def test_the_last_attempt_is_the_latest_of_all() -> None:
    rows = [row(next_attempt_at=NOON + n * HOUR) for n in (1, 3, 2)]
    assert in_flight(rows, NOON, DEADLINE).last_attempt_at == NOON + 3 * HOUR


def test_a_chain_of_duplicates_is_followed_to_its_verdict() -> None:
    verdict = result(request_id="r1", status=Status.FAILED)
    (found,) = standings([], [duplicate("r3", "r2"), duplicate("r2", "r1"), verdict])
    assert found.answers() == {
        "r3": Answer(("r2", "r1"), result=verdict),
        "r2": Answer(("r1",), result=verdict),
    }


def test_a_chain_may_end_at_a_row_in_flight() -> None:
    waiting = row(request_id="r1")
    (found,) = standings([waiting], [duplicate("r2", "r1")])
    assert found.answers() == {"r2": Answer(("r1",), row=waiting)}


def test_a_row_in_flight_goes_before_its_own_duplicate_that_will_give_way() -> None:
    again = row(request_id="r2")
    (found,) = standings([again], [duplicate("r3", "r2"), duplicate("r2", "r1"), result(status=Status.FAILED)])
    assert found.row == again
    assert found.answers()["r3"] == Answer(("r2",), row=again)


def test_a_chain_may_be_broken() -> None:
    (found,) = standings([row(request_id="another")], [duplicate("r2", "r1")])
    assert found.answers() == {"r2": Answer(("r1",))}


@pytest.mark.parametrize("links", [{"r1": "r1"}, {"r1": "r2", "r2": "r1"}, {"r1": "r2", "r2": "r3", "r3": "r2"}])
def test_a_ring_ends(links: dict[str, str]) -> None:
    (found,) = standings([], [duplicate(*link) for link in links.items()])
    answer = found.answers()["r1"]
    assert (answer.is_ring, answer.result, answer.row) == (True, None, None)


def test_a_duplicate_of_nothing_has_no_answer() -> None:
    (found,) = standings([], [duplicate("r1", None)])
    assert (found.answers(), found.current) == ({}, Status.DUPLICATE)


def test_a_row_whose_verdict_is_there_is_a_leftover() -> None:
    (found,) = standings([row(request_id="r1")], [result(request_id="r1", status=Status.FAILED)])
    assert (found.row, found.current) == (None, Status.FAILED)


def test_families_stand_by_themselves() -> None:
    rows = [row(product_family="Azure", request_id="r1")]
    results = [result(product_family="Copilot", request_id="r1"), result(product_family="Azure", request_id="r0")]
    azure, copilot = standings(rows, results)
    assert (azure.product_family, azure.current, len(azure.results)) == ("Azure", State.ACCEPTED, 1)
    assert (copilot.product_family, copilot.current, copilot.row) == ("Copilot", Status.COMPLETED, None)


def test_results_come_in_the_order_in_which_they_ended() -> None:
    results = [result(request_id=f"r{n}", finished_at=NOON + n * HOUR) for n in (2, 0, 1)]
    (found,) = standings([], results)
    assert [one.request_id for one in found.results] == ["r0", "r1", "r2"]


@pytest.mark.parametrize(
    ("statuses", "current"),
    [
        ((Status.FAILED, Status.REJECTED), Status.REJECTED),
        ((Status.FAILED, Status.DUPLICATE), Status.FAILED),
        ((Status.COMPLETED, Status.CANCELLED), Status.COMPLETED),
    ],
)
def test_the_last_verdict_counts_unless_one_completed(statuses: tuple[Status, ...], current: Status) -> None:
    results = [result(request_id=f"r{n}", status=s, finished_at=NOON + n * HOUR) for n, s in enumerate(statuses)]
    (found,) = standings([], results)
    assert found.current == current


def test_throughput_is_known_after_some_seconds() -> None:
    throughput = Throughput()
    assert throughput.per_minute is None
    throughput.add(100, 50)
    throughput.add(109, 80)
    assert throughput.per_minute is None
    throughput.add(110, 80)
    assert throughput.per_minute == 180


def test_throughput_forgets_what_is_older_than_its_window() -> None:
    throughput = Throughput()
    for monotonic_s, results in ((0, 0), (60, 600), (120, 600), (420, 630)):
        throughput.add(monotonic_s, results)
    assert throughput.per_minute == 6


def test_throughput_of_a_standstill_is_nothing() -> None:
    throughput = Throughput()
    for monotonic_s in range(0, 1200, 60):
        throughput.add(monotonic_s, min(monotonic_s, 300))
    assert throughput.per_minute == 0


@pytest.mark.parametrize(
    ("left", "per_minute", "not_before_s", "more", "expected"),
    [
        (90, 30, 0, False, TimeLeft(180, at_least=False)),
        (90, 30, 600, False, TimeLeft(600, at_least=False)),
        (90, 30, -600, True, TimeLeft(180, at_least=True)),
        (90, 0, 600, False, TimeLeft(600, at_least=True)),
        (90, None, 600, False, TimeLeft(600, at_least=True)),
        (90, None, -5, False, None),
        (90, 0, 0, True, None),
    ],
)
def test_the_time_left(
    left: int, per_minute: float | None, not_before_s: float, more: bool, expected: TimeLeft | None
) -> None:
    assert time_left(left, per_minute, not_before_s, more=more) == expected
