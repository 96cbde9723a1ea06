"""Giving a row up, in every order with pollers that submit, lose answers and die: all histories of three processes.

Exhaustive up to two preemptions (a process is put off while it could go on), which is where such races show. Each
history runs the real use cases. Time passes between any two steps, but for what nobody promises: a create call is sent
in the instant in which its lease is looked at.
"""

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import precondition, rule

from shared import errors, giving_up
from shared.clock import Clock
from shared.giving_up import GIVEN_UP, give_up, is_outcome_unknown, is_overdue
from shared.models import InFlightUpgrade, State, Status
from shared.polling import touch
from shared.ports import Ports
from tests.fakes import LOST_AFTER, PROCESSED, Fate, World, request
from tests.unit.rows import in_flight
from tests.unit.test_step_6_crash import MAX_PROCESSES, Pipeline

PREEMPTIONS = 2
FATES: dict[str, Fate] = {
    PROCESSED: PROCESSED,
    LOST_AFTER: LOST_AFTER,
    "throttled": errors.Throttled(retry_after_s=1),
}
OPERATOR, FIRST, SECOND, DEATH, TIME = "operator", "first poller", "second poller", "its death", "time"
# They read what nobody in these histories writes, or end the process.
_UNDISTURBED = ("get_gate", "return")


@pytest.fixture(autouse=True)
def no_log(caplog: pytest.LogCaptureFixture) -> None:
    """Thousands of histories: to log them takes longer than to play them."""
    caplog.set_level(logging.CRITICAL, logger="upgrades")


class Sleepless:
    """The world's clock. In the middle of a sleep others go on, and time passes for them, too."""

    def __init__(self, clock: Clock, stop: Callable[[], object]) -> None:
        self._clock = clock
        self._stop = stop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._clock, name)

    def sleep(self, duration_s: float) -> None:
        for _ in range(2 if duration_s else 0):
            self._stop()
            self._clock.sleep(duration_s / 2)


def an_operator_gives_up(ports: Ports, row: InFlightUpgrade) -> None:
    clock: Any = Sleepless(ports.clock, lambda: ports.store.get_result("nobody", "", ""))
    give_up(replace(ports, clock=clock), row)


class Told(Pipeline):
    """Not driven by hypothesis: one request in flight, its last outcome unknown, and due."""

    def __init__(self, fate: Fate) -> None:
        super().__init__()
        self.world = World()
        asked = request()
        self.sent[asked.request_id] = set()
        self.world.store.insert_in_flight(in_flight())
        self.world.partner_center.unknown[self.world.row.key].add(self.world.row.ms_request_id)
        self.world.partner_center.create_fates.append(fate)
        self._roles: dict[str, Any] = {}
        self._time_left = 2

    def able(self) -> list[str]:
        """Who may take the next step."""
        waiting = [role for role in (OPERATOR, FIRST, SECOND) if role not in self._roles and self._row(role)]
        running = [role for role, actor in self._roles.items() if actor in self.actors]
        dying = [DEATH] if FIRST in running else []
        return [*waiting, *running, *dying, *([TIME] if self._time_left else [])]

    def take(self, role: str) -> None:
        if role == TIME:
            self._time_left -= 1
            self.world.clock.advance(self.world.settings.lease_s)
        elif role == DEATH:
            self._roles[FIRST].die()
            self.actors.remove(self._roles[FIRST])
        elif role not in self._roles:
            row, run = self._row(role), an_operator_gives_up if role == OPERATOR else touch
            assert row
            self._start(role, partial(run, row=row))
            self._roles[role] = self.actors[-1]
        else:
            self._step(self._roles[role])
        actor = self._roles.get(role)
        while actor in self.actors and actor.pending in _UNDISTURBED:
            self._step(actor)

    def _row(self, role: str) -> InFlightUpgrade | None:
        rows = self.world.store.in_flight.values() if role == OPERATOR else self._due()
        return next((row for row in rows if role != OPERATOR or is_outcome_unknown(row)), None)

    def _check_result(self, request_id: str, ended_before: set[str]) -> None:
        super()._check_result(request_id, ended_before)
        check_given_up(self.world, request_id)


def check_given_up(world: World, request_id: str) -> None:
    own = [upgrade for upgrade in world.partner_center.upgrades if upgrade.request_id == request_id]
    ended = world.result(request_id)
    if (ended.status, ended.error_code) == (Status.FAILED, GIVEN_UP):
        assert not [upgrade for upgrade in own if not upgrade.vanished], "given up, and there is an upgrade"


@dataclass
class History:
    """One order of steps: `choices` first, then whoever runs goes on. `options`: how many there were at each step."""

    choices: tuple[int, ...]
    options: list[int] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)

    def play(self, told: Told) -> None:
        running, preempted = FIRST, 0
        while able := told.able():
            if running in able:
                able = [running, *(role for role in able if role != running and preempted < PREEMPTIONS)]
            place = len(self.options)
            chosen = able[self.choices[place] if place < len(self.choices) else 0]
            preempted += running in able and chosen != running
            self.options.append(len(able))
            self.steps.append(chosen)
            told.take(chosen)
            told.nothing_is_doubled()
            running = chosen


def histories(fate: Fate) -> Iterator[Status]:
    """How each of them ends. Depth first: each begins like the one before, up to the last step that could differ."""
    choices: tuple[int, ...] | None = ()
    while choices is not None:
        history, told = History(choices), Told(fate)
        try:
            history.play(told)
            told.teardown()
        except AssertionError as error:
            raise AssertionError(f"{error}: {' > '.join(history.steps)}") from error
        yield told.world.result().status
        taken = [*choices, *[0] * (len(history.options) - len(choices))]
        last = next((n for n in reversed(range(len(taken))) if taken[n] + 1 < history.options[n]), None)
        choices = None if last is None else (*taken[:last], taken[last] + 1)


@pytest.mark.parametrize("fate", FATES)
def test_in_every_order_a_row_that_was_given_up_has_no_upgrade(fate: str) -> None:
    endings = Counter(ending for ending in histories(FATES[fate]))
    assert sum(endings.values()) > 1000
    assert endings[Status.FAILED] > 100
    assert endings[Status.COMPLETED] > 100


def _no_wait(ports: Ports, row: InFlightUpgrade) -> float:
    return 0.0


def _no_mark(ports: Ports, row: InFlightUpgrade) -> InFlightUpgrade | None:
    return row if row.state is State.WITHDRAWN else ports.store.update_in_flight(row)


@pytest.mark.parametrize(("rule_of", "broken"), [("lease_left_s", _no_wait), ("_update", _no_mark)])
def test_without_any_rule_of_it_an_upgrade_is_called_failed(
    rule_of: str, broken: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(giving_up, rule_of, broken)
    with pytest.raises(AssertionError, match=r"(?s)given up, and there is an upgrade.*: first poller > "):
        deque(histories(PROCESSED), maxlen=0)


class GivingUp(Pipeline):
    """Everything that step 6 knows of, and an operator who gives up."""

    @precondition(lambda self: len(self.actors) < MAX_PROCESSES and any(map(self._is_stuck, self._rows())))
    @rule()
    def an_operator_gives_up(self) -> None:
        row = next(filter(self._is_stuck, self._rows()))
        self._start("operator", partial(an_operator_gives_up, row=row))

    def _rows(self) -> list[InFlightUpgrade]:
        return list(self.world.store.in_flight.values())

    def _is_stuck(self, row: InFlightUpgrade) -> bool:
        return is_outcome_unknown(row) or is_overdue(self.world.ports, row)

    def _check_result(self, request_id: str, ended_before: set[str]) -> None:
        super()._check_result(request_id, ended_before)
        check_given_up(self.world, request_id)


GivingUp.TestCase.settings = settings(
    max_examples=60, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)
test_any_interleaving_with_an_operator_who_gives_up_keeps_the_promise = GivingUp.TestCase
