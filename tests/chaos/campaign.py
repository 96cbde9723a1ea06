"""One campaign: requests and faults at the same time, then quiet, then everything that was seen."""

import math
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from azure.servicebus.exceptions import ServiceBusError

from local.cloud import Cloud, environment, running
from local.observer import Look, Observer, observing
from local.requests_file import Outgoing
from local.truth import Key, key_of
from shared.models import Position
from shared.settings import Settings as AppSettings
from shared.upgrade_store import RESULTS
from tests.chaos import plan, workload
from tests.chaos.levers import NORMAL
from tests.chaos.nemesis import Nemesis
from tests.chaos.people import Administrator, Operator, around, insist
from tests.chaos.processes import Processes, log_lines
from tests.chaos.record import Record, Sent, Settings, Write
from tests.chaos.workload import Planned, Workload

# Deliveries x hold: how long an outage of what a claim needs may last. Shorter locks: a killed process's messages come
# back in seconds. Renewals so often that some are under way when a person replaces a token.
SETTINGS: Mapping[str, str] = {
    "STORAGE_HOLD_S": "5",
    "AZURE_CALL_DEADLINE_S": "3",
    "TOKEN_RENEW_H": "0.002",
    "UPGRADE_DEADLINE_H": "0.03",
    "TICK_BUDGET_S": "30",
}
QUEUE: Mapping[str, object] = {"lock_s": 5, "max_delivery_count": 8}
SEND_EVERY_S = 0.5
LOOK_EVERY_S = 10


@dataclass(frozen=True, kw_only=True)
class Size:
    """`over_s`: how long requests and faults come. `drain_s`: what the system gets to end everything, then."""

    requests: int = 3000
    invalid: int = 2000
    over_s: float = 200
    drain_s: float = 240


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`record`: for the invariants. The others: for the report."""

    record: Record
    sending_s: float
    draining_s: float
    injected: Mapping[str, int]
    problems: list[str]
    withdrawn: int
    consents: int
    deaths: int


def run(
    folder: Path, *, seed: int, size: Size, mix: Mapping[str, float] | None = None, app: Path | None = None
) -> Outcome:
    """`app`: another app than the repository's."""
    work = workload.build(seed, requests=size.requests, invalid=size.invalid, over_s=size.over_s, mix=mix)
    faults = plan.build(seed, requests=size.requests, over_s=size.over_s)
    cloud = Cloud(folder, settings=SETTINGS, queue=QUEUE, front=True)
    cloud.app = app or cloud.app
    with running(cloud, fresh=True), environment(cloud.client_environment), around(cloud) as (operator, administrator):
        cloud.fake("PUT", "scenarios", dict(work.courses))
        cloud.fake("PUT", "switches", NORMAL)
        cloud.start_functions()
        own = _Campaign(
            cloud=cloud,
            work=work,
            operator=operator,
            administrator=administrator,
            canary=workload.canary(seed),
            drain_s=size.drain_s,
        )
        return own.run(faults)


@dataclass(kw_only=True)
class _Campaign:
    cloud: Cloud
    work: Workload
    operator: Operator
    administrator: Administrator
    canary: str
    drain_s: float

    def __post_init__(self) -> None:
        self._nemesis = Nemesis(self.cloud, self.operator, self.administrator)
        self._processes = Processes(self.cloud)
        self._waiting: list[Planned] = list(self.work.messages)
        self._sent: list[Sent] = []
        self._writes: list[Write] = []
        self._next_write = 0
        self._ended: set[Key] = set()
        self._over = threading.Event()

    def run(self, faults: list[plan.Injection]) -> Outcome:
        began = time.monotonic()
        with ThreadPoolExecutor(thread_name_prefix="campaign") as pool, observing(self.cloud) as observer:
            watching = pool.submit(self._watch)
            try:
                evil = pool.submit(self._nemesis.carry_out, faults, began)
                self._send(observer, began, evil.done)
                evil.result()
                sending_s = time.monotonic() - began
                drained = self._drain(observer, time.monotonic() + self.drain_s)
            finally:
                self._nemesis.stop()
                self._over.set()
            watching.result()
            record = self._record(observer, drained=drained)
        return Outcome(
            record=record,
            sending_s=sending_s,
            draining_s=time.monotonic() - began - sending_s,
            injected=self._nemesis.injected,
            problems=self._nemesis.problems,
            withdrawn=self.operator.withdrawn,
            consents=self.administrator.consents,
            deaths=self.cloud.deaths,
        )

    # while it runs

    def _send(self, observer: Observer, began: float, faults_are_over: Any) -> None:
        """What is due, every now and then, until all is sent and the faults are over.

        What follows a result that never comes is waited for no longer than the drain may last.
        """
        ends: float | None = None
        while self._waiting or not faults_are_over():
            if ends is None and faults_are_over() and all(message.follows for message in self._waiting):
                ends = time.monotonic() + self.drain_s
                self._ended |= {key_of(result) for result in _look(observer).results}
            if ends is not None and time.monotonic() > ends:
                return
            self._follow()
            self._send_due(observer, time.monotonic() - began)
            time.sleep(SEND_EVERY_S)

    def _send_due(self, observer: Observer, now_s: float) -> None:
        due = [m for m in self._waiting if m.due_s <= now_s and (m.follows is None or m.follows in self._ended)]
        if not due:
            return
        at_s = time.time()
        try:
            observer.send([Outgoing(message.body, message.message_id) for message in due])
        except (ServiceBusError, OSError):
            # Perhaps some have arrived: sent again they are duplicates, which the system has to bear anyway.
            self._sent += [self._as_sent(message, at_s) for message in due if message.key]
            return
        self._sent += [self._as_sent(message, at_s) for message in due]
        gone = {message.message_id for message in due}
        self._waiting = [message for message in self._waiting if message.message_id not in gone]

    def _as_sent(self, message: Planned, at_s: float) -> Sent:
        return Sent(message.body, message.message_id, at_s, message.key, message.follows)

    def _watch(self) -> None:
        """As the platform does: starts again what has died. And samples memory."""
        while not self._over.wait(0.2):
            self._processes.look()
            self.cloud.restart_dead_functions()

    def _follow(self) -> None:
        """Reads on in the storage front's record of writes."""
        with suppress(requests.RequestException):
            page = self.cloud.parts.control("storage_front", "GET", f"writes?since={self._next_write}")
            self._next_write = page["next"]
            names = self._processes.names
            self._note(_write(entry, names) for entry in page["writes"])

    def _note(self, writes: Iterable[Write]) -> None:
        for write in writes:
            self._writes.append(write)
            if write.table == RESULTS:
                columns = write.fields
                self._ended.add((columns["customerId"], columns["productFamily"].lower(), columns["requestId"]))

    # when the faults are over

    def _drain(self, observer: Observer, ends: float) -> bool:
        """Looks at the tables when the record of writes says so, and now and then: a write may be missing in it.

        The storage may have cut an answer itself, when it was restarted.
        """
        looked = -math.inf
        while time.monotonic() < ends:
            self._follow()
            if self._ended >= self.work.keys or time.monotonic() - looked > LOOK_EVERY_S:
                looked = time.monotonic()
                if self._is_drained(_look(observer)):
                    return True
            time.sleep(SEND_EVERY_S)
        return False

    def _is_drained(self, look: Look) -> bool:
        ended = {key_of(result) for result in look.results} >= {sent.key for sent in self._sent if sent.key}
        quiet = not look.in_flight and not look.waiting and self.operator.position is Position.OPEN
        return ended and quiet

    def _record(self, observer: Observer, *, drained: bool) -> Record:
        gate = self.operator.position
        self.cloud.stop_functions()
        self._follow()
        look = _look(observer)
        settings = AppSettings.from_env(self.cloud.app_settings)
        return Record(
            sent=self._sent,
            results=look.results,
            in_flight=look.in_flight,
            dead=[(str(message.message_id), b"".join(message.body)) for message in insist(observer.peek_dead)],
            waiting=look.waiting,
            drained=drained,
            gate=gate,
            ledger=self.cloud.fake("GET", "ledger"),
            writes=self._writes,
            pauses=self.operator.pauses,
            log_lines=list(log_lines(self.cloud.folder / "logs")),
            secrets=self.administrator.all_secrets(),
            canary=self.canary,
            memory=self._processes.memory,
            pollers=self._processes.pollers(),
            settings=Settings(settings.gate_cache_s, settings.max_parallel_calls),
            faults=self._nemesis.injected,
        )


def _look(observer: Observer) -> Look:
    return insist(observer.look)


def _write(entry: Mapping[str, Any], writers: Mapping[int, str]) -> Write:
    writer = writers.get(entry["pid"], "campaign") if entry["pid"] else "campaign"
    key = (entry["partition_key"], entry["row_key"])
    return Write(entry["sent_s"], entry["answered_s"], writer, entry["table"], entry["kind"], key, entry["fields"])
