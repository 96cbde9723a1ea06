"""Many requests at once, against a limit that counts every call: how much of it is used, and how many calls in vain.

Time is scaled (`bench.scaled_time`): the window, and so the longest Retry-After, and the tick last 10 s each, as they
last about a minute each in the cloud.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from bench.comparison import NONE, Comparison, at_least, at_most, every
from bench.contenders import BOTH, Contender, alternate_at_once
from bench.cpu import Stopwatch
from bench.figures import Curve, Figure, Options, Outcome, Plot, Row
from bench.limits import Use, allowed, last_result_s, let_through, shortest_s, use_of
from bench.measured_cloud import LATENCY_S, MeasuredCloud, measured_cloud
from bench.progress import say
from bench.scaled_time import SCALED
from local.ledger_calls import Call
from local.partner_center.switches import Bucket, Window

NUMBER = 1
TITLE = "2,000 requests at once, the API limited"
REQUESTS = 2000
# One status call is enough for an upgrade: the fewest calls that there can be, and kind to a poller that makes many.
COURSE: Mapping[str, object] = {"polls": 1}
CALLS_PER_REQUEST = 2
LIMITS: Mapping[str, Window | Bucket] = {
    "window": Window(calls=60, per_s=10),
    "bucket": Bucket(rate_per_s=10, burst=20),
}
_TEXTS = {"window": "60 calls in 10 s", "bucket": "10 calls/s, burst 20"}


@dataclass(frozen=True)
class Run:
    """`ended`: requests with a result. `cores`: what each process took of the machine."""

    use: Use
    ended: int
    dead: int
    curve: tuple[tuple[float, float], ...]
    cores: str


def run(options: Options) -> Outcome:
    requests = options.scaled(REQUESTS)
    rows: list[Row] = []
    notes = [
        f"{requests:,} requests; answers take {LATENCY_S * 1000:.0f} ms; all calls count, refused ones and polls too.",
        "Allowed: the most that the limit lets pass from the first call until the last result.",
        "Both limits are measured at the same time, each with a cloud of its own.",
    ]
    plots = []
    for name, measured in alternate_at_once(options.runs, partial(_measure, options, requests), list(LIMITS)).items():
        rows += table(name, requests, measured)
        notes += [f"{_TEXTS[name]}: {who.name} took {runs[0].cores}." for who, runs in measured.items()]
        plots.append(_plot(name, measured))
    return Outcome(NUMBER, TITLE, tuple(rows), tuple(notes), tuple(plots))


def _measure(options: Options, requests: int, name: str, contender: Contender, run: int) -> Run:
    say(f"{_TEXTS[name]}: {contender.name}, run {run} of {options.runs}")
    with measured_cloud(options.folder / f"{name}-{contender.name}-{run}", contender, SCALED) as cloud:
        cloud.switch(**{"api_latency_s": LATENCY_S, f"api_{name}": asdict(LIMITS[name])})
        cloud.start_functions()
        watch = Stopwatch(cloud.cpu)
        cloud.send(requests, course=COURSE)
        patience_s = 120 + 3 * shortest_s(LIMITS[name], CALLS_PER_REQUEST * requests)
        if not cloud.wait_for_end(timeout_s=patience_s):
            say(f"not all requests have ended after {patience_s:.0f} s")
        return _found(cloud, LIMITS[name], watch.cores())


def _found(cloud: MeasuredCloud, limit: Window | Bucket, cores: str) -> Run:
    cloud.stop_functions()
    calls = cloud.calls()
    return Run(
        use=_use(limit, calls),
        ended=cloud.results(),
        dead=cloud.dead_letters(),
        curve=let_through(calls),
        cores=cores,
    )


def _use(limit: Window | Bucket, calls: Sequence[Call]) -> Use:
    """Until the last result; where there is none, until the last call."""
    return use_of(limit, calls, last_result_s(calls) or calls[-1].started_s)


def table(name: str, requests: int, measured: Mapping[Contender, Sequence[Run]]) -> list[Row]:
    both = Comparison(measured, _TEXTS[name])
    shortest = Figure.of([shortest_s(LIMITS[name], CALLS_PER_REQUEST * requests)], "s")
    return [
        both.row("calls not refused / allowed", "100%", lambda run: 100 * run.use.used, unit="%", goal=at_least(95)),
        both.row("refused / all calls", "0%", lambda run: 100 * run.use.refused_share, unit="%", goal=at_most(5)),
        both.row("requests dead-lettered", "0", lambda run: run.dead, goal=NONE),
        both.row("requests with a result", f"{requests:,}", lambda run: run.ended, goal=every(requests)),
        both.row("first call to last result", shortest, lambda run: run.use.lasted_s, unit="s"),
    ]


def _plot(name: str, measured: Mapping[Contender, Sequence[Run]]) -> Plot:
    """The first run of each."""
    curves = [Curve(who.name, measured[who][0].curve) for who in BOTH]
    longest_s = max(x for curve in curves for x, _ in curve.points)
    steps = [longest_s * step / 200 for step in range(201)]
    limit = Curve("the limit", tuple((x, allowed(LIMITS[name], x)) for x in steps))
    return Plot(f"Calls let through, {_TEXTS[name]}", "seconds since the first call", "calls", (limit, *curves))
