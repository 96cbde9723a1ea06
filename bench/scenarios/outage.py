"""The API is out for a minute while requests arrive: what is lost, and how fast the rest is worked off afterwards.

Time is scaled as in `throttling`, so the minute is as long as six in the cloud. A limit is in force all the while:
without one nobody could say how fast "fast" is.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from bench.comparison import NONE, Comparison, at_least, every
from bench.contenders import Contender, alternate
from bench.cpu import Stopwatch
from bench.figures import Figure, Options, Outcome, Row
from bench.limits import last_result_s, shortest_s, use_of
from bench.measured_cloud import LATENCY_S, MeasuredCloud, measured_cloud
from bench.progress import say
from bench.scaled_time import SCALED
from local.ledger_calls import Call
from local.partner_center.switches import Bucket

NUMBER = 4
TITLE = "A full outage of the API for 60 s, with 500 requests arriving"
REQUESTS = 500
OUTAGE_S = 60
COURSE: Mapping[str, object] = {"polls": 1}
CALLS_PER_REQUEST = 2
LIMIT = Bucket(rate_per_s=10, burst=20)
_SEND_EVERY_S = 1.0


@dataclass(frozen=True)
class Drain:
    """What followed the outage, in seconds after its end; `used`: share of the limit, from the first answer on."""

    noticed_s: float
    drained_s: float
    used: float


@dataclass(frozen=True)
class Run:
    """`drain` None: nothing was left to be worked off. `in_vain`: calls made during the outage."""

    ended: int
    dead: int
    in_vain: int
    drain: Drain | None
    cores: str


def run(options: Options) -> Outcome:
    requests = options.scaled(REQUESTS)
    outage_s = max(5.0, OUTAGE_S * options.scale)
    measured = alternate(options.runs, partial(_measure, options, requests, outage_s))
    notes = [
        f"{requests:,} requests, spread over an outage of {outage_s:.0f} s: every call is answered 503.",
        f"A limit of {LIMIT.rate_per_s:g} calls/s, burst {LIMIT.burst}; answers take {LATENCY_S * 1000:.0f} ms.",
        *(f"{who.name} took {runs[0].cores}." for who, runs in measured.items()),
    ]
    return Outcome(NUMBER, TITLE, tuple(table(requests, measured)), tuple(notes))


def _measure(options: Options, requests: int, outage_s: float, contender: Contender, run: int) -> Run:
    say(f"outage of {outage_s:.0f} s: {contender.name}, run {run} of {options.runs}")
    with measured_cloud(options.folder / f"{contender.name}-{run}", contender, SCALED) as cloud:
        cloud.switch(api_latency_s=LATENCY_S, api_bucket=asdict(LIMIT))
        cloud.start_functions()
        watch = Stopwatch(cloud.cpu)
        cloud.switch(api_outage="unavailable")
        _send_over(cloud, requests, outage_s)
        outage_ended_s = time.time()
        cloud.switch(api_outage=None)
        patience_s = 120 + 3 * shortest_s(LIMIT, CALLS_PER_REQUEST * requests)
        if not cloud.wait_for_end(timeout_s=patience_s):
            say(f"not all requests have ended {patience_s:.0f} s after the outage")
        return _found(cloud, outage_ended_s, watch.cores())


def _send_over(cloud: MeasuredCloud, requests: int, duration_s: float) -> None:
    """Evenly, some every second; returns when all are sent and that time is over."""
    began = time.monotonic()
    portions = round(duration_s / _SEND_EVERY_S)
    for portion in range(1, portions + 1):
        if (count := requests * portion // portions - cloud.sent) > 0:
            cloud.send(count, course=COURSE)
        time.sleep(max(0.0, began + duration_s * portion / portions - time.monotonic()))


def _found(cloud: MeasuredCloud, outage_ended_s: float, cores: str) -> Run:
    cloud.stop_functions()
    calls = cloud.calls()
    return Run(
        ended=cloud.results(),
        dead=cloud.dead_letters(),
        in_vain=sum(call.started_s < outage_ended_s for call in calls),
        drain=drain_of(calls, outage_ended_s),
        cores=cores,
    )


def drain_of(calls: Sequence[Call], outage_ended_s: float) -> Drain | None:
    """None where no request has ended."""
    last_s = last_result_s(calls)
    if last_s is None:
        return None
    after = [call for call in calls if call.started_s >= outage_ended_s]
    first_s = next(call.started_s for call in after if call.is_accepted)
    working = [call for call in after if call.started_s >= first_s]
    used = use_of(LIMIT, working, last_s).used
    return Drain(first_s - outage_ended_s, last_s - outage_ended_s, used)


def table(requests: int, measured: Mapping[Contender, Sequence[Run]]) -> list[Row]:
    both = Comparison(measured)
    shortest = Figure.of([shortest_s(LIMIT, CALLS_PER_REQUEST * requests)], "s")
    return [
        both.row("requests dead-lettered", "0", lambda run: run.dead, goal=NONE),
        both.row("requests with a result", f"{requests:,}", lambda run: run.ended, goal=every(requests)),
        both.row("end of the outage to first answer", "0 s", _of_drain(lambda drain: drain.noticed_s), unit="s"),
        both.row("end of the outage to last result", shortest, _of_drain(lambda drain: drain.drained_s), unit="s"),
        both.row(
            "calls not refused / allowed, first answer to last result",
            "100%",
            _of_drain(lambda drain: 100 * drain.used),
            unit="%",
            goal=at_least(95),
        ),
        both.row("calls during the outage", None, lambda run: run.in_vain),
    ]


def _of_drain(pick: Callable[[Drain], float]) -> Callable[[Run], float | None]:
    return lambda run: pick(run.drain) if run.drain else None
