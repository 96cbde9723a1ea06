"""The runs that scenarios 2 and 3 share: messages through CreateUpgrade, as fast as it goes."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bench.contenders import BOTH, Contender, alternate
from bench.cpu import Stopwatch
from bench.deployed import DEFAULTS
from bench.figures import Options
from bench.measured_cloud import LATENCY_S, MeasuredCloud, NotEndedError, measured_cloud
from bench.one_call_app import ONE_CALL, give_token
from bench.progress import say
from bench.store_limit import creates_per_s
from local.ledger_calls import Call

CONCURRENCIES = (16, 32, 64)
UPGRADES = 640
_THREADS = 16  # of a process: host.json's maxConcurrentCalls and PYTHON_THREADPOOL_THREAD_COUNT
_WARM_UP_ROUNDS = 2


@dataclass(frozen=True)
class Creation:
    """One run. `store_per_s`: what the tables alone would have allowed. `cpu_ms`: of the functions, per upgrade."""

    concurrency: int
    per_s: float
    store_per_s: float
    cpu_ms: float
    cores: str

    @property
    def limit_per_s(self) -> float:
        return min(self.concurrency / LATENCY_S, self.store_per_s)

    @property
    def percent_of_limit(self) -> float:
        """Each run against its own limit."""
        return 100 * self.per_s / self.limit_per_s


type Creations = Mapping[int, Mapping[Contender, Sequence[Creation]]]


def creations(options: Options) -> Creations:
    """All runs, by calls at once and contender; made once, since two scenarios want them."""
    return _creations(replace(options, folder=options.folder.parent / "creating"))


@functools.cache
def _creations(options: Options) -> Creations:
    contenders = (*BOTH, ONE_CALL)
    return {count: alternate(options.runs, partial(_run, options, count), contenders) for count in CONCURRENCIES}


def _run(options: Options, concurrency: int, contender: Contender, run: int) -> Creation:
    folder = options.folder / f"{contender.name.replace(' ', '-')}-{concurrency}-{run}"
    creation = _measure(folder, contender, concurrency, options.scaled(UPGRADES))
    say(
        f"creating, {concurrency} at once, {contender.name}, run {run}: {creation.per_s:.1f}/s, "
        f"{creation.cpu_ms:.1f} ms CPU each; the store alone {creation.store_per_s:.1f}/s"
    )
    return creation


def _measure(folder: Path, contender: Contender, concurrency: int, upgrades: int) -> Creation:
    processes = concurrency // _THREADS
    with measured_cloud(folder, contender, DEFAULTS) as cloud:
        store_per_s = creates_per_s(cloud, processes=processes, threads=_THREADS, upgrades=upgrades)
        start_warm(cloud, processes)
        mark, watch, before_s = cloud.mark(), Stopwatch(cloud.cpu), cloud.functions_cpu_s()
        create(cloud, upgrades)
        cores, cpu_s = watch.cores(), cloud.functions_cpu_s() - before_s
        return Creation(
            concurrency=concurrency,
            per_s=created_per_s(cloud.calls(since=mark)),
            store_per_s=store_per_s,
            cpu_ms=1000 * cpu_s / upgrades,
            cores=cores,
        )


def start_warm(cloud: MeasuredCloud, processes: int) -> None:
    """Starts CreateUpgrade, and lets every thread of it have done its work before anything is measured."""
    if cloud.contender is ONE_CALL:
        give_token(cloud)
    cloud.switch(api_latency_s=LATENCY_S)
    cloud.start_functions({"CreateUpgrade": processes})
    create(cloud, _WARM_UP_ROUNDS * _THREADS * processes)


def create(cloud: MeasuredCloud, upgrades: int) -> None:
    """Sends so many requests, and returns when all are created and all messages settled."""
    cloud.send(upgrades)

    def is_over() -> bool:
        return cloud.upgrades().total() >= cloud.sent and cloud.is_queue_empty()

    if not cloud.wait_until(is_over, timeout_s=60 + upgrades * 5 * LATENCY_S):
        raise NotEndedError(f"{cloud.contender.name}: {cloud.upgrades().total()} of {cloud.sent} upgrades were created")


def created_per_s(calls: Sequence[Call]) -> float:
    """From the start of the first create call to the end of the last: N calls, C at a time, last N / C x latency."""
    created = [call for call in calls if call.created]
    return len(created) / (max(call.ended_s or 0 for call in created) - min(call.started_s for call in created))
