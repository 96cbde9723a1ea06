"""Step 6: any interleaving of deliveries, ticks, answers, crashes and time keeps the promise.

Hypothesis drives the real use cases. Every process (a delivery, a poller with one row, an operator) runs in a thread of
its own that stops before each call of the store, the gate or Partner Center until it is told to go on, or to die: only
one runs at a time, so a failing history replays. The rules are those of the exhaustive model behind the design.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shared import errors
from shared.errors import StoreError
from shared.models import GateState, InFlightUpgrade, Position, State, Status, UpgradeRequest, UpgradeResult
from shared.polling import touch
from shared.ports import Ports
from shared.results import finish
from shared.upgrades import claim, submit_claimed
from tests.fakes import LOST_AFTER, LOST_BEFORE, PROCESSED, Fate, World, request

DELIVERIES = 2  # of one message, at the least
MAX_PROCESSES = 4
FATES: dict[str, Fate] = {
    PROCESSED: PROCESSED,
    LOST_BEFORE: LOST_BEFORE,
    LOST_AFTER: LOST_AFTER,
    "throttled": errors.Throttled(retry_after_s=40),
    "unauthorized": errors.Unauthorized(http_status=401),
    "refused for good": errors.RefusedForGood(code="900108", http_status=403),
    "refused for now": errors.RefusedForNow(code="900130", http_status=403, understood=True),
    "no token": errors.TokenUnavailable("out"),
}


def _accept(ports: Ports, asked: UpgradeRequest) -> None:
    lease = claim(ports, asked)
    if lease:
        submit_claimed(ports, lease)


def _touch(ports: Ports, row: InFlightUpgrade) -> None:
    touch(ports, row)


def _cancel(ports: Ports, row: InFlightUpgrade) -> None:
    finish(ports, row, Status.CANCELLED)


def _may_be_withdrawn(row: InFlightUpgrade) -> bool:
    return not row.outcome_unknown and row.upgrade_id is None and row.state is not State.WITHDRAWN


class _Death(BaseException):
    """SIGKILL."""


class _Actor:
    """One process. `step` lets it make its next call; `pending` names that call."""

    def __init__(self, kind: str, run: Callable[["_Actor"], None], message: UpgradeRequest | None = None) -> None:
        self.kind = kind
        self.message = message
        self.pending: str | None = None
        self.error: BaseException | None = None
        # Locks that the other side releases: in C, and several times as fast as a semaphore.
        self._go, self._stopped = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._stopped.acquire()
        self._dies = False
        self._thread = threading.Thread(target=self._main, args=(run,), daemon=True)
        self._thread.start()
        self._stopped.acquire()

    def pause(self, call: str) -> None:
        """Called in the actor's thread, before each call to the outside."""
        self.pending = call
        self._stopped.release()
        self._go.acquire()
        self.pending = None
        if self._dies:
            raise _Death

    def step(self) -> None:
        self._go.release()
        self._stopped.acquire()

    def die(self) -> None:
        self._dies = True
        self.step()
        self._thread.join()

    def __repr__(self) -> str:
        return f"<{self.kind} before {self.pending}>"

    @property
    def alive(self) -> bool:
        return self.pending is not None

    def _main(self, run: Callable[["_Actor"], None]) -> None:
        try:
            run(self)
            self.pause("return")
        except _Death:
            pass
        except BaseException as error:  # noqa: BLE001  shown to the test
            self.error = error
        self._stopped.release()


class _Stepped:
    """Any collaborator, with a stop before each of its calls."""

    def __init__(self, target: object, actor: _Actor) -> None:
        self._target = target
        self._actor = actor

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._target, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self._actor.pause(name)
            return method(*args, **kwargs)

        return call


class Pipeline(RuleBasedStateMachine):
    """Two or three requests of one customer, everything that may happen to them, and what must never."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.queue: list[tuple[UpgradeRequest, int]] = []
        self.sent: dict[str, set[str]] = {}  # request id -> those that were known to have ended without success by then
        self.actors: list[_Actor] = []
        self.verdicts: dict[str, Status] = {}
        self.recreatable: set[str] = set()

    # what may happen

    @precondition(lambda self: len(self.sent) < 3)
    @rule()
    def send(self) -> None:
        asked = request(f"r{len(self.sent) + 1}")
        results = self.world.store.results.values()
        ended = {r.request_id for r in results if r.is_verdict and r.status is not Status.COMPLETED}
        self.sent[asked.request_id] = ended
        self.queue.append((asked, DELIVERIES))

    @precondition(lambda self: self.queue and len(self.actors) < MAX_PROCESSES)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        asked, left = self.queue.pop(data.draw(st.integers(0, len(self.queue) - 1)))
        if left > 1:
            self.queue.append((asked, left - 1))
        self._start("delivery", partial(_accept, asked=asked), asked)

    @precondition(lambda self: self._due() and len(self.actors) < MAX_PROCESSES)
    @rule()
    def tick(self) -> None:
        """A poller, perhaps a second one, that has read the row now and acts on it later."""
        self._start("poller", partial(_touch, row=self._due()[0]))

    @precondition(lambda self: self.actors)
    @rule(data=st.data(), fate=st.sampled_from(list(FATES)), calls=st.sampled_from([1, 1, 2, 4, 12]))
    def step(self, data: st.DataObject, fate: str, calls: int) -> None:
        """One process makes its next call, or several; the fate is that of its calls to the service."""
        actor = data.draw(st.sampled_from(self.actors))
        for _ in range(calls):
            if actor in self.actors:
                self._step_with(actor, fate)

    def _step_with(self, actor: _Actor, fate: str) -> None:
        if actor.pending == "create_upgrade":
            self.world.partner_center.create_fates.append(FATES[fate])
        if actor.pending in ("get_status", "get_eligibility") and fate in (LOST_BEFORE, "throttled", "no token"):
            lost = errors.OutcomeUnknown("lost") if fate == LOST_BEFORE else FATES[fate]
            fates: Any = getattr(self.world.partner_center, actor.pending.replace("get_", "") + "_fates")
            fates.append(lost)
        self._step(actor)

    @precondition(lambda self: self.actors)
    @rule(data=st.data())
    def kill(self, data: st.DataObject) -> None:
        """Between any two steps. The lock of a delivery's message ends, and it is delivered again."""
        actor = data.draw(st.sampled_from(self.actors))
        actor.die()
        self.actors.remove(actor)
        if actor.message:
            self.queue.append((actor.message, 1))

    @precondition(lambda self: self.world.store.in_flight)
    @rule(duration_s=st.sampled_from([1, 45, 130, 200, 4000, 90_000]))
    def time_passes(self, duration_s: int) -> None:
        self.world.clock.advance(duration_s)

    @precondition(lambda self: self.world.store.gate.position is not Position.OPEN)
    @rule()
    def the_gate_opens(self) -> None:
        """As ticks make it, in the end."""
        self.world.store.write_gate(GateState(etag=self.world.store.gate.etag))

    @precondition(lambda self: self.sent and not self.actors)
    @rule(jump_s=st.sampled_from([-3600, 3600]))
    def the_clock_jumps(self, jump_s: int) -> None:
        """Not while a lease is held: then the process would be as good as frozen."""
        self.world.clock.jump(jump_s)

    @precondition(lambda self: any(u.status == "InProgress" for u in self.world.partner_center.upgrades))
    @rule(end=st.sampled_from(["Completed", "Failed"]))
    def the_service_finishes(self, end: str) -> None:
        for upgrade in self.world.partner_center.upgrades:
            if upgrade.status == "InProgress":
                upgrade.status = end

    @precondition(lambda self: not self.recreatable and any(r.upgrade_id for r in self.world.store.in_flight.values()))
    @rule()
    def the_service_loses_the_upgrade(self) -> None:
        for upgrade in self.world.partner_center.upgrades:
            if upgrade.status == "InProgress":
                upgrade.vanished = True
                self.recreatable.add(upgrade.request_id)

    @precondition(lambda self: any(map(_may_be_withdrawn, self.world.store.in_flight.values())))
    @rule()
    def an_operator_withdraws(self) -> None:
        for row in list(self.world.store.in_flight.values()):
            if _may_be_withdrawn(row):
                now = self.world.clock.now()
                marked = self.world.store.update_in_flight(replace(row, state=State.WITHDRAWN, next_attempt_at=now))
                self._start("operator", partial(_cancel, row=marked))

    # what must never happen

    @invariant()
    def nothing_is_doubled(self) -> None:
        assert not self.world.partner_center.violations, self.world.partner_center.violations
        for request_id in self.sent:
            upgrades = [u for u in self.world.partner_center.upgrades if u.request_id == request_id]
            assert len(upgrades) <= 1 + (request_id in self.recreatable)

    @invariant()
    def a_verdict_never_changes(self) -> None:
        for result in self.world.store.results.values():
            if result.is_verdict:
                assert self.verdicts.setdefault(result.request_id, result.status) is result.status

    @invariant()
    def no_process_has_failed(self) -> None:
        for actor in self.actors:
            assert actor.error is None or isinstance(actor.error, StoreError), actor.error

    def teardown(self) -> None:
        """The faults end, and the system drains by itself: then every request has one result, and it is the truth."""
        try:
            self._drain()
            for request_id, ended_before in self.sent.items():
                self._check_result(request_id, ended_before)
        finally:
            for actor in self.actors:
                actor.die()

    def _check_result(self, request_id: str, ended_before: set[str]) -> None:
        world = self.world
        result = world.result(request_id)
        own = [u for u in world.partner_center.upgrades if u.request_id == request_id and not u.vanished]
        if result.status is Status.DUPLICATE:
            assert not own
            self._follow(result)
            assert result.duplicate_of not in ended_before, "sent after that one had failed, and nothing was done"
        elif result.status in (Status.CANCELLED, Status.REJECTED):
            assert not own
        elif result.upgrade_id:
            (upgrade,) = [u for u in world.partner_center.upgrades if u.upgrade_id == result.upgrade_id]
            assert result.status.value == upgrade.status or upgrade.vanished or result.status is Status.TIMED_OUT

    def _follow(self, result: UpgradeResult) -> None:
        """A duplicate may be one of a duplicate, but in the end there is a verdict."""
        for _ in self.sent:
            if result.is_verdict:
                return
            assert result.duplicate_of is not None
            result = self.world.result(result.duplicate_of)
        assert result.is_verdict, "duplicates of each other"

    # how

    def _due(self) -> list[InFlightUpgrade]:
        return self.world.store.list_due(self.world.clock.now())

    def _start(self, kind: str, run: Callable[[Ports], object], message: UpgradeRequest | None = None) -> None:
        def main(actor: _Actor) -> None:
            store: Any = _Stepped(self.world.store, actor)
            partner_center: Any = _Stepped(self.world.partner_center, actor)
            run(self.world.new_ports(store=store, gate_store=store, partner_center=partner_center))

        self.actors.append(_Actor(kind, main, message))

    def _step(self, actor: _Actor) -> None:
        actor.step()
        if not actor.alive:
            self.no_process_has_failed()
            self.actors.remove(actor)

    def _drain(self) -> None:
        for _ in range(400):
            while self.actors:
                self._step(self.actors[0])
            self.the_gate_opens()
            if self.queue:
                asked, left = self.queue.pop()
                self.queue += [(asked, left - 1)] if left > 1 else []
                self._start("delivery", partial(_accept, asked=asked), asked)
            elif self.world.store.in_flight:
                row = self.world.row
                wait_s = (row.next_attempt_at - self.world.clock.now()).total_seconds()
                self.world.clock.advance(max(0.0, wait_s))
                self.the_service_finishes("Completed")
                self._start("poller", partial(_touch, row=row))
            else:
                return
            self.nothing_is_doubled()
            self.a_verdict_never_changes()
        raise AssertionError(f"does not drain: {self.world.store.in_flight}")


Pipeline.TestCase.settings = settings(
    max_examples=150, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)
test_any_interleaving_keeps_the_promise = Pipeline.TestCase
