"""Runs `bench.one_tick` as a process, and reads what it found."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.measured_cloud import MeasuredCloud, NotEndedError
from bench.waits import NOTHING, Effort
from local.component import start
from local.ledger_calls import Call


@dataclass(frozen=True)
class Tick:
    """`reading`: of the whole, the looks for due rows. `counting`: another tick, which had nothing to do but count.

    Of the textbook function there is the whole alone.
    """

    in_flight: int
    due: int
    whole: Effort
    peak_mb: float
    reading: Effort = NOTHING
    counting: Effort = NOTHING

    @property
    def calling_s(self) -> float:
        return self.whole.elapsed_s - self.reading.elapsed_s


def tick_of_app(cloud: MeasuredCloud, *, days: int, in_flight: int, due: int) -> Tick:
    facts = _run(cloud, ("--days", str(days)), due)
    efforts = {name: Effort(**facts[name]) for name in ("reading", "counting")}
    return Tick(in_flight, due, Effort(**facts["tick"]), facts["peak_mb"], **efforts)


def tick_of_textbook(cloud: MeasuredCloud, *, rows: int) -> Tick:
    facts = _run(cloud, ("--textbook",), rows)
    return Tick(rows, rows, Effort(**facts["tick"]), facts["peak_mb"])


def _run(cloud: MeasuredCloud, arguments: tuple[str, ...], due: int) -> Mapping[str, Any]:
    mark = cloud.mark()
    log = cloud.cloud.folder / "logs" / "one-tick.log"
    tick = start("bench.one_tick", *arguments, log=log, env=cloud.cloud.app_settings, timeout_s=120)
    try:
        assert tick.process.stdout
        line = tick.process.stdout.readline()
    finally:
        tick.stop()
    polled = sum(_is_status(call) for call in cloud.calls(since=mark))
    if not line or polled != due:
        raise NotEndedError(f"a tick over {due} due rows made {polled} status calls; see {log}")
    facts: Mapping[str, Any] = json.loads(line)
    return facts


def _is_status(call: Call) -> bool:
    return call.kind == "status"
