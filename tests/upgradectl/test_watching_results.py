"""What a watch counts: each result once, how fast they come, and how long the rest may take."""

from collections import deque
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.errors import StoreUnavailable
from shared.models import GateState, Position, State, Status
from tests.fakes import NOON
from tests.unit.rows import in_flight
from tests.upgradectl.watching_support import EMPTY, MINUTE, Scene
from upgradectl.errors import CommandError
from upgradectl.overview import TimeLeft
from upgradectl.queue_depth import QueueDepth


def test_results_are_counted_once_however_often_they_are_read() -> None:
    scene = Scene()
    scene.add("old", Status.FAILED)
    scene.look()
    scene.add("a", Status.COMPLETED)
    scene.add("b", Status.FAILED)
    for _ in range(3):
        found = scene.look()
    assert found.results == {Status.COMPLETED: 1, Status.FAILED: 2}
    assert found.new == {Status.COMPLETED: 1, Status.FAILED: 1}
    assert [one.customer_id for one in found.failures] == ["b"]


def test_later_looks_read_what_has_come_since_with_some_overlap() -> None:
    scene = Scene()
    scene.look()
    scene.add("a", Status.COMPLETED, finished_at=NOON + MINUTE)
    for _ in range(3):
        scene.look(after_s=600)
    assert scene.tables.asked == [None, None, NOON - 4 * MINUTE, NOON - 4 * MINUTE]


def test_a_result_of_tomorrow_does_not_hide_those_of_today() -> None:
    scene = Scene()
    scene.add("ahead", Status.COMPLETED, finished_at=NOON + timedelta(days=1))
    scene.look()
    scene.add("a", Status.COMPLETED)
    assert scene.look().new == {Status.COMPLETED: 1}


def test_a_result_that_turns_up_late_is_counted() -> None:
    scene = Scene()
    scene.add("a", Status.COMPLETED)
    scene.look()
    scene.add("late", Status.COMPLETED, finished_at=scene.clock.now() - 4 * MINUTE)
    assert scene.look().new == {Status.COMPLETED: 1}


@pytest.mark.parametrize("is_new", [True, False])
def test_a_duplicate_that_gives_way_to_a_verdict_counts_as_that(is_new: bool) -> None:
    scene = Scene()
    if is_new:
        scene.look()
    scene.add("a", Status.DUPLICATE, duplicate_of="r0")
    scene.look()
    (duplicate,) = scene.tables.results.values()
    scene.tables.update_result(replace(duplicate, status=Status.FAILED, finished_at=scene.clock.now()))
    found = scene.look()
    assert (found.results, found.new) == ({Status.FAILED: 1}, {Status.FAILED: 1})
    assert len(found.failures) == 1


@pytest.mark.parametrize("status", Status)
def test_what_ended_otherwise_than_it_should_is_a_failure(status: Status) -> None:
    scene = Scene()
    scene.look()
    scene.add("a", status)
    expected = status not in (Status.COMPLETED, Status.DUPLICATE, Status.CANCELLED)
    found = scene.look()
    assert (found.failed, len(found.failures)) == (expected, expected)


def test_the_last_failures_are_those_that_ended_last() -> None:
    scene = Scene()
    scene.look()
    for number in range(60):
        scene.add(f"c{59 - number:02}", Status.FAILED, finished_at=NOON + number * timedelta(seconds=1))
    found = scene.look(after_s=60)
    assert [one.customer_id for one in found.failures] == [f"c{number:02}" for number in range(49, -1, -1)]
    assert found.failed == 60


def test_results_that_a_look_has_read_before_it_failed_are_counted() -> None:
    scene = Scene()
    scene.look()
    scene.add("a", Status.FAILED)
    scene.tables.gate_errors.append(StoreUnavailable("out"))
    assert scene.look().trouble
    found = scene.look()
    assert (found.new, len(found.failures)) == ({Status.FAILED: 1}, 1)


def test_throughput_and_time_left() -> None:
    scene = Scene(queue=deque([QueueDepth(50, 0)] * 2))
    for number in range(40):
        scene.tables.insert_in_flight(in_flight(customer_id=f"c{number}", state=State.IN_PROGRESS))
    assert (scene.look().per_minute, scene.look().left) == (None, None)
    scene = Scene(queue=deque([QueueDepth(50, 0)] * 2), tables=scene.tables)
    scene.look()
    for number in range(15):
        scene.add(f"d{number}", Status.COMPLETED)
    found = scene.look(after_s=30)
    assert (found.per_minute, found.left) == (30, TimeLeft(180, at_least=False))


def test_nothing_is_final_before_the_last_row_is_looked_at_again() -> None:
    scene = Scene()
    scene.tables.insert_in_flight(in_flight(next_attempt_at=NOON + 10 * MINUTE))
    assert scene.look(after_s=60).left == TimeLeft(540, at_least=True)


def test_nothing_is_final_before_the_gate_may_open() -> None:
    scene = Scene()
    scene.tables.insert_in_flight(in_flight())
    scene.tables.gate = GateState(position=Position.CLOSED, until_at=NOON + 2 * MINUTE)
    assert scene.look(after_s=60).left == TimeLeft(60, at_least=True)
    scene.tables.gate = GateState(position=Position.PAUSED, until_at=NOON + 3 * MINUTE)
    assert scene.look(after_s=0).left is None


def test_where_more_may_wait_than_was_seen_the_time_left_is_a_lower_bound() -> None:
    depths: list[QueueDepth | CommandError] = [QueueDepth(QueueDepth.LIMIT, 0), QueueDepth(unknown="no role")]
    scene = Scene(queue=deque([EMPTY, *depths]))
    scene.tables.insert_in_flight(in_flight())
    scene.look()
    scene.add("a", Status.COMPLETED)
    for _ in depths:
        found = scene.look(after_s=30)
        assert found.left
        assert found.left.at_least
