"""When a watch ends: after two looks that find nothing left, when its time is over, or for what no look will change."""

from collections import deque
from datetime import timedelta

import pytest
from azure.core.exceptions import ClientAuthenticationError

from shared.errors import StoreUnavailable
from tests.fakes import NOON
from tests.unit.rows import in_flight
from tests.upgradectl.watching_support import EMPTY, Scene, watched
from upgradectl import live_view
from upgradectl.errors import CommandError, ExitCode
from upgradectl.queue_depth import QueueDepth
from upgradectl.store import AccessRefused


def test_it_ends_when_two_looks_in_a_row_find_nothing_left() -> None:
    scene = Scene()
    row = scene.tables.insert_in_flight(in_flight())
    scene.meanwhile.extend([lambda: None, lambda: scene.tables.delete_in_flight(row)])
    found = watched(scene)
    assert [snapshot.rows.total for snapshot in found] == [1, 1, 0, 0]
    assert [snapshot.is_final for snapshot in found] == [False, False, False, True]
    assert scene.clock.slept == [5, 5, 5]


def test_a_message_may_be_between_queue_and_table() -> None:
    scene = Scene()
    scene.meanwhile.extend([lambda: scene.tables.insert_in_flight(in_flight()), scene.tables.in_flight.clear])
    assert [snapshot.rows.total for snapshot in watched(scene)] == [0, 1, 0, 0]


def test_what_waits_on_the_queue_is_not_final() -> None:
    scene = Scene(queue=deque([QueueDepth(1, 0), QueueDepth(1, 0)]))
    assert [snapshot.queue.waiting for snapshot in watched(scene)] == [1, 1, 0, 0]


def test_who_may_not_receive_goes_by_the_tables() -> None:
    unknown = QueueDepth(unknown="needs Data Receiver")
    found = watched(Scene(queue=deque([unknown, unknown])))
    assert [snapshot.is_final for snapshot in found] == [False, True]
    assert "not known: needs Data Receiver; by the tables alone" in live_view.line(found[-1])


def test_a_look_that_fails_is_shown_and_the_watch_goes_on() -> None:
    scene = Scene()
    scene.tables.errors.extend([None, StoreUnavailable("Table Storage answers 503"), None])
    found = watched(scene)
    assert [bool(snapshot.trouble) for snapshot in found] == [False, True, False, False]
    assert found[1].trouble.startswith("Table Storage answers 503; ")
    assert [snapshot.is_final for snapshot in found] == [False, False, False, True]
    assert (found[1].at, found[1].watched_s) == (NOON + timedelta(seconds=5), 5)


def test_a_sign_in_that_fails_for_a_while_does_not_end_it() -> None:
    scene = Scene()
    scene.tables.errors.extend([None, ClientAuthenticationError("token"), None])
    found = watched(scene)
    assert [bool(snapshot.trouble) for snapshot in found] == [False, True, False, False]
    assert "az login" in found[1].trouble


def test_a_queue_that_does_not_answer_is_not_an_empty_one() -> None:
    scene = Scene(queue=deque([EMPTY, CommandError("no answer from Service Bus")]))
    assert [bool(snapshot.trouble) for snapshot in watched(scene)] == [False, True, False, False]


def test_the_first_look_has_to_succeed() -> None:
    scene = Scene()
    scene.tables.errors.append(StoreUnavailable("Table Storage: ServiceRequestError"))
    with pytest.raises(StoreUnavailable):
        watched(scene)
    scene.tables.errors.append(ClientAuthenticationError("token"))
    with pytest.raises(ClientAuthenticationError):
        watched(scene)


def test_a_missing_role_ends_it_at_any_time() -> None:
    scene = Scene()
    scene.tables.insert_in_flight(in_flight())
    scene.tables.errors.extend([None, None, AccessRefused("Table Storage answers 403")])
    with pytest.raises(AccessRefused):
        watched(scene)


def test_it_gives_up_when_its_time_is_over() -> None:
    scene = Scene()
    scene.tables.insert_in_flight(in_flight())
    with pytest.raises(CommandError, match="not all is final yet") as caught:
        watched(scene, timeout_s=12)
    assert caught.value.code is ExitCode.FAILED
    assert scene.clock.slept == [5, 5, 2]
