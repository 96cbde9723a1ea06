"""The local cloud under measurement: load is sent to it, and the fakes tell what the functions did.

    with measured_cloud(options.folder / "throughput" / "app-1", APP, {"MAX_PARALLEL_CALLS": "32"}) as cloud:
        cloud.switch(api_latency_s=LATENCY_S)
        cloud.start_functions()
        cloud.send(2000)
        cloud.wait_for_end(timeout_s=300)
        calls = cloud.calls()

The caller is the load generator; every fake and every function is a process of its own.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from azure.identity import DefaultAzureCredential

from bench.contenders import TEXTBOOK_TABLE, Contender
from bench.cpu import cpu_s
from local.azurite import create_missing_tables
from local.cloud import Cloud, environment, running
from local.ledger_calls import Call, calls_of
from local.observer import Observer, observing
from local.requests_file import Outgoing

LATENCY_S = 0.2  # of an answer of the API, where a scenario says nothing else
# A queue as the platform makes it when nothing is said, the same for both.
QUEUE: Mapping[str, object] = {"lock_s": 60, "max_delivery_count": 10}
_LOOK_EVERY_S = 0.5


class NotEndedError(RuntimeError):
    """What was waited for did not happen in time."""


@dataclass
class MeasuredCloud:
    """A running cloud, without functions at first. `sent`: how many requests, so far."""

    cloud: Cloud
    contender: Contender
    observer: Observer
    sent: int = field(default=0, init=False)

    def switch(self, **switches: object) -> None:
        """Turns switches of the fake Partner Center: `api_latency_s`, `api_outage`, `api_window`, `api_bucket` ..."""
        self.cloud.fake("PUT", "switches", switches)

    def start_functions(self, counts: Mapping[str, int] | None = None) -> None:
        """`{"CreateUpgrade": 1, "PollUpgrade": 0}`; default: two processes of CreateUpgrade and one of PollUpgrade."""
        self.cloud.start_functions(counts)

    def stop_functions(self) -> None:
        """Lets invocations under way end, then ends the functions; the rest of the cloud goes on."""
        self.cloud.stop_functions()

    def send(self, count: int, *, course: Mapping[str, Any] | None = None) -> Sequence[str]:
        """Sends `count` requests of as many new customers at once, and returns the customers' ids.

        `course`: how their upgrades go, as `local.partner_center.scenario` has it ({"polls": 1}: completed at the first
        status call; {"polls": None}: never). Default: completed at the second one.
        """
        customers = [str(uuid4()) for _ in range(count)]
        if course is not None:
            self.cloud.fake("PUT", "scenarios", {customer: {"course": course} for customer in customers})
        self.observer.send([_message(customer) for customer in customers])
        self.sent += count
        return customers

    def wait_for_end(self, *, timeout_s: float) -> bool:
        """Until every request that was sent has a completed upgrade or is a dead letter. False: not in time."""
        dead: int | None = None

        def is_over() -> bool:
            nonlocal dead
            if self.is_queue_empty() and dead is None:
                dead = self.dead_letters()  # of an empty queue no more can come
            return dead is not None and self.upgrades()["completed"] + dead >= self.sent

        return self.wait_until(is_over, timeout_s=timeout_s)

    def wait_until(self, holds: Callable[[], bool], *, timeout_s: float, every_s: float = _LOOK_EVERY_S) -> bool:
        """Looks now and then; as the platform does, it starts again what has died meanwhile. False: not in time."""
        ends = time.monotonic() + timeout_s
        while not holds():
            if time.monotonic() > ends:
                return False
            self.cloud.restart_dead_functions()
            time.sleep(every_s)
        return True

    def upgrades(self) -> Counter[str]:
        """How many upgrades exist at the fake Partner Center, by `in progress`, `completed`, `failed`, `vanished`.

        Cheap: the thing to ask while measuring. `upgrades().total()`: how many create calls were accepted.
        """
        return Counter(self.cloud.fake("GET", "counts")["upgrades"])

    def is_queue_empty(self) -> bool:
        """Whether every message is settled; a locked one is still there."""
        return not self.observer.queue.peek_messages(1)

    def dead_letters(self) -> int:
        """How many. It reads them all: not while something is measured."""
        return len(self.observer.peek_dead())

    def results(self) -> int:
        """How many requests have ended by the contender's own table. It reads all of them."""
        table = self.observer.tables.get_table_client(self.contender.table)
        return sum(1 for _ in table.query_entities(self.contender.ended, select=["RowKey"]))

    def calls(self, *, since: int = 0) -> Sequence[Call]:
        """The API calls that have ended, in the order in which they started; times are seconds since 1970.

        `since`: a `mark()`, to leave out earlier ones. It reads the whole ledger: not while something is measured.
        """
        return calls_of(self.cloud.fake("GET", f"ledger?since={since}"))

    def mark(self) -> int:
        """The ledger's number of the last call so far, for `calls`."""
        return int(self.cloud.fake("GET", "counts")["sequence"])

    def external_calls(self) -> Counter[str]:
        """What the functions have asked for besides the API and the tables, so far, by kind.

        `key_vault`; `identity`: tokens of the managed identity; `token`: sign-ins at the token endpoint. The start
        of the cloud is in it: take differences.
        """
        vault = Counter(self.cloud.parts.control("key_vault", "GET", "calls"))
        identity = Counter(self.cloud.parts.control("identity", "GET", "calls"))
        tokens = self.cloud.fake("GET", "ledger")["tokens"]
        return Counter(key_vault=vault.total(), identity=identity.total(), token=len(tokens))

    def cpu(self) -> Mapping[str, float]:
        """CPU seconds of each process so far: each function's as `CreateUpgrade-0`, each part's under its name (Azurite
        with Node), and `load generator`, this one. `bench.cpu` takes differences and names the cores.
        """
        parts = ("service_bus", "identity", "key_vault", "azurite", "partner_center")
        pids = {name: self.cloud.parts[name].process.pid for name in parts}
        pids |= {f"{function.name}-{function.index}": function.pid for function in self.cloud.functions}
        used = {name: cpu_s(pid) for name, pid in pids.items()}
        used["azurite"] += cpu_s(int(self.cloud.parts["azurite"].facts["node_pid"]))
        return used | {"load generator": cpu_s(os.getpid())}

    def functions_cpu_s(self) -> float:
        """CPU seconds of the functions' processes so far, all together."""
        return sum(cpu_s(function.pid) for function in self.cloud.functions)


@contextmanager
def measured_cloud(
    folder: Path,
    contender: Contender,
    settings: Mapping[str, str] | None = None,
    *,
    queue: Mapping[str, object] = QUEUE,
    app: Path | None = None,
) -> Iterator[MeasuredCloud]:
    """A fresh cloud in `folder`, with the contender's tables; all of it ends with the block.

    `settings`: app settings besides `local.cloud`'s. `app`: a copy of the contender's folder to run instead of it.
    """
    cloud = Cloud(folder, settings=settings or {}, queue=queue, app=app or contender.folder)
    with running(cloud, fresh=True), environment(cloud.client_environment), observing(cloud) as observer:
        with DefaultAzureCredential() as credential:
            create_missing_tables(cloud.tables_url, [TEXTBOOK_TABLE], credential)
        yield MeasuredCloud(cloud, contender, observer)


def _message(customer_id: str) -> Outgoing:
    request_id = str(uuid4())
    body = {"customerId": customer_id, "productFamily": "Azure", "requestId": request_id}
    return Outgoing(json.dumps(body).encode(), request_id)
