"""Giving a row up, in every order with pollers that submit, lose answers and die, and with a second operator while the
first one is killed: all histories of three processes.

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

from shared import giving_up
from shared.clock import Clock
from shared.giving_up import GIVEN_UP, SKEW_S, give_up, is_outcome_unknown
from shared.models import InFlightUpgrade, State, Status, UpgradeRequest
from shared.polling import is_overdue, touch
from shared.ports import Ports
from tests.fakes import LOST_AFTER, PROCESSED, Fate, World, request
from tests.unit.rows import in_flight
from tests.unit.test_step_6_crash import MAX_PROCESSES, Pipeline

PREEMPTIONS = 2
FATES: tuple[Fate, ...] = (PROCESSED, LOST_AFTER)  # more of them: `GivingUp`
OPERATOR, COLLEAGUE, FIRST, SECOND = "operator", "second operator", "first poller", "second poller"
DEATH, TIME = "a death", "time"
# They look for a verdict, and to have looked earlier only means to know less.
_UNDISTURBED = ("list_results", "get_result")


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


class Striding:
    """A store of a process that goes on without a stop where nothing can come of one."""

    def __init__(self, stepped: object, direct: object) -> None:
        self._stepped = stepped
        self._direct = direct

    def __getattr__(self, name: str) -> Any:
        return getattr(self._direct if name in _UNDISTURBED else self._stepped, name)


def an_operator_gives_up(ports: Ports, row: InFlightUpgrade) -> None:
    clock: Any = Sleepless(ports.clock, lambda: ports.store.get_in_flight("nobody", ""))
    give_up(replace(ports, clock=clock), row)


@dataclass(frozen=True)
class Cast:
    """Who takes part. `mortal`: the one who may be killed. `leases`: how often the time of a lease may pass."""

    roles: tuple[str, ...]
    mortal: str
    leases: int


POLLERS = Cast((OPERATOR, FIRST, SECOND), mortal=FIRST, leases=2)
# Beside that of their waiting.
OPERATORS = Cast((OPERATOR, COLLEAGUE, FIRST), mortal=OPERATOR, leases=0)


class Told(Pipeline):
    """Not driven by hypothesis: one request in flight, its last outcome unknown, and due."""

    def __init__(self, fate: Fate, cast: Cast) -> None:
        super().__init__()
        self.world = World()
        asked = request()
        self.sent[asked.request_id] = set()
        self.world.store.insert_in_flight(in_flight(attempts=1))
        self.world.partner_center.unknown[self.world.row.key].add(self.world.row.ms_request_id)
        self.world.partner_center.create_fates.append(fate)
        self._cast = cast
        self._roles: dict[str, Any] = {}
        self._time_left = cast.leases
        self._is_over = False

    def able(self) -> list[str]:
        """Who may take the next step."""
        waiting = [role for role in self._cast.roles if role not in self._roles and self._row(role)]
        running = [role for role, actor in self._roles.items() if actor in self.actors]
        dying = [DEATH] if self._cast.mortal in running else []
        return [*waiting, *running, *dying, *([TIME] if self._time_left else [])]

    def take(self, role: str) -> None:
        if role == TIME:
            self._time_left -= 1
            self.world.clock.advance(self.world.settings.lease_s)
        elif role == DEATH:
            self._roles[self._cast.mortal].die()
            self.actors.remove(self._roles[self._cast.mortal])
        elif role not in self._roles:
            row, run = self._row(role), an_operator_gives_up if role in (OPERATOR, COLLEAGUE) else touch
            assert row
            self._start(role, partial(run, row=row))
            self._roles[role] = self.actors[-1]
        else:
            self._step(self._roles[role])
        actor = self._roles.get(role)
        if actor in self.actors and actor.pending == "return":
            self._step(actor)

    def teardown(self) -> None:
        self._is_over = True
        super().teardown()

    def _row(self, role: str) -> InFlightUpgrade | None:
        if role in (OPERATOR, COLLEAGUE):
            return next(filter(is_outcome_unknown, self.world.store.in_flight.values()), None)
        return next(iter(self._due()), None)

    def _start(self, kind: str, run: Callable[[Ports], object], message: UpgradeRequest | None = None) -> None:
        """Those who clear up in the end are alone: without a thread they are much faster."""

        def stride(ports: Ports) -> object:
            store: Any = Striding(ports.store, self.world.store)
            # Nobody in these histories writes the gate.
            return run(self.world.new_ports(store=store, partner_center=ports.partner_center))

        if self._is_over:
            run(self.world.new_ports())
        else:
            super()._start(kind, stride, message)

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


def histories(fate: Fate, cast: Cast) -> Iterator[Status]:
    """How each of them ends. Depth first: each begins like the one before, up to the last step that could differ."""
    choices: tuple[int, ...] | None = ()
    while choices is not None:
        history, told = History(choices), Told(fate, cast)
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
def test_in_every_order_a_row_that_was_given_up_has_no_upgrade(fate: Fate) -> None:
    endings = Counter(histories(fate, POLLERS))
    assert sum(endings.values()) > 800
    assert endings[Status.FAILED] > 100
    assert endings[Status.COMPLETED] > 100


def test_in_every_order_with_a_second_operator_a_row_that_was_given_up_has_no_upgrade() -> None:
    endings = Counter(histories(PROCESSED, OPERATORS))
    assert sum(endings.values()) > 200
    assert endings[Status.FAILED] > 100
    assert endings[Status.COMPLETED] > 50


def _no_wait(ports: Ports, row: InFlightUpgrade) -> float:
    return 0.0


def _no_wait_after_another_operator(ports: Ports, row: InFlightUpgrade) -> float:
    lease_s = ports.settings.lease_s
    left_s = (row.next_attempt_at - ports.clock.now()).total_seconds()
    return min(left_s + SKEW_S, lease_s) if -SKEW_S < left_s <= lease_s + SKEW_S else 0.0


def _no_mark(ports: Ports, row: InFlightUpgrade) -> InFlightUpgrade | None:
    return row if row.state is State.WITHDRAWN else ports.store.update_in_flight(row)


@pytest.mark.parametrize(
    ("rule_of", "broken", "cast"),
    [
        ("lease_left_s", _no_wait, POLLERS),
        ("_update", _no_mark, POLLERS),
        ("lease_left_s", _no_wait_after_another_operator, OPERATORS),
    ],
)
def test_without_any_rule_of_it_an_upgrade_is_called_failed(
    rule_of: str, broken: Any, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(giving_up, rule_of, broken)
    with pytest.raises(AssertionError, match=r"(?s)given up, and there is an upgrade.*: first poller > "):
        deque(histories(PROCESSED, cast), maxlen=0)


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
    max_examples=30, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)
test_any_interleaving_with_an_operator_who_gives_up_keeps_the_promise = GivingUp.TestCase
