"""How many creates a second the tables alone would allow, on this machine, from as many processes and threads."""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from bench.measured_cloud import MeasuredCloud, NotEndedError
from local.component import Component, start
from shared.upgrade_store import TABLES

_WARM_UP = 100  # upgrades of each process: Azurite gets faster while its code is compiled


def creates_per_s(cloud: MeasuredCloud, *, processes: int, threads: int, upgrades: int) -> float:
    """Runs `bench.store_alone`, and leaves the app's tables empty. The functions are not to run meanwhile."""
    arguments = ("--threads", threads, "--upgrades", max(1, upgrades // processes), "--warm-up", _WARM_UP)
    with ExitStack() as stack:

        def started(number: int) -> Component:
            log = cloud.cloud.folder / "logs" / f"store-alone-{number}.log"
            component = start("bench.store_alone", *map(str, arguments), log=log, env=cloud.cloud.app_settings)
            stack.callback(component.stop)
            return component

        with ThreadPoolExecutor() as pool:
            components = list(pool.map(started, range(processes)))
        for component in components:
            _go(component)
        spans = [_span(component) for component in components]
    _empty_tables(cloud)
    return max(1, upgrades // processes) * processes / length_s(spans)


def length_s(spans: Iterable[tuple[float, float]]) -> float:
    """From the first beginning to the last end."""
    beginnings, ends = zip(*spans, strict=True)
    return float(max(ends) - min(beginnings))


def _go(component: Component) -> None:
    assert component.process.stdin
    component.process.stdin.write("go\n")
    component.process.stdin.flush()


def _span(component: Component) -> tuple[float, float]:
    assert component.process.stdout
    line = component.process.stdout.readline()
    if not line:
        raise NotEndedError("the store alone: a process has died; see its log")
    content = json.loads(line)
    return content["began_s"], content["ended_s"]


def _empty_tables(cloud: MeasuredCloud) -> None:
    for name in TABLES:
        cloud.observer.tables.delete_table(name)
        cloud.observer.tables.create_table(name)
