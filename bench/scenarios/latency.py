"""Scenario 8: how long after a message was sent its create call is sent, where nothing else is to be done."""

import json
import math
import random
import time
from collections.abc import Mapping, Sequence
from functools import partial
from uuid import uuid4

from azure.servicebus import ServiceBusSender

from bench.comparison import Comparison, Goal
from bench.contenders import APP, BOTH, TEXTBOOK, Contender, alternate
from bench.deployed import DEFAULTS
from bench.figures import Curve, Figure, Options, Outcome, Plot, Row
from bench.measured_cloud import MeasuredCloud, NotEndedError, measured_cloud
from bench.one_call_app import ONE_CALL, give_token
from bench.progress import say
from local.cloud import QUEUE
from local.requests_file import Outgoing, send

NUMBER = 8
TITLE = "From message sent to create call sent, idle system"
GOAL_TIMES = 2
MESSAGES = 100
_WARM_UP = 10
# In an idle system the gate is read for every message: this makes it old by the time of the next one.
_SETTINGS = {**DEFAULTS, "GATE_CACHE_S": "0.1"}
_PAUSES_S = (0.15, 0.35)  # between one message's call and the next message
_NOTES = (
    "One process, one message at a time, sent a short while after the create call of the one before. The limit is a "
    "function that makes one call and does nothing else, on the same broker and host. The time of the call is when it "
    "arrived at the fake Partner Center.",
    "The app's gate is read anew for each message, as it is after a pause of more than GATE_CACHE_S.",
    "All calls go over loopback, where one takes a few milliseconds: over a network each call before the create call "
    "adds its round trip. The app makes three (gate, claim, results), the textbook function five (two tokens of its "
    "identity, two secrets, one sign-in).",
)

type Runs = Mapping[Contender, Sequence[Sequence[float]]]


def run(options: Options) -> Outcome:
    return outcome(alternate(options.runs, partial(_run, options), (*BOTH, ONE_CALL)))


def outcome(latencies_ms: Runs) -> Outcome:
    """`latencies_ms`: of every message of each run."""
    times = {contender: _times_one_call(latencies_ms, contender) for contender in BOTH}
    goal = Goal(f"<= {GOAL_TIMES}x", lambda figure: figure.median <= GOAL_TIMES)
    rows = (
        _row("p50", 0.5, latencies_ms),
        _row("p99", 0.99, latencies_ms),
        Comparison(times).row("p50, times the limit", "1x", float, unit="x", goal=goal),
    )
    return Outcome(NUMBER, TITLE, rows, _NOTES, (_plot(latencies_ms),))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all values do not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _row(name: str, share: float, latencies_ms: Runs) -> Row:
    limit = Figure.of((percentile(run, share) for run in latencies_ms[ONE_CALL]), "ms")
    return Comparison(latencies_ms).row(name, limit, lambda run: percentile(run, share), unit="ms")


def _times_one_call(latencies_ms: Runs, contender: Contender) -> list[float]:
    """Run by run: they alternate, so each stands beside the one that met the same minute of the machine."""
    pairs = zip(latencies_ms[contender], latencies_ms[ONE_CALL], strict=True)
    return [percentile(own, 0.5) / percentile(least, 0.5) for own, least in pairs]


def _plot(latencies_ms: Runs) -> Plot:
    def curve(contender: Contender) -> Curve:
        values = sorted(value for run in latencies_ms[contender] for value in run)
        return Curve(contender.name, tuple((value, 100 * rank / len(values)) for rank, value in enumerate(values, 1)))

    return Plot(TITLE, "ms", "messages, %", tuple(map(curve, (ONE_CALL, APP, TEXTBOOK))))


def _run(options: Options, contender: Contender, run: int) -> Sequence[float]:
    folder = options.folder / f"{contender.name.replace(' ', '-')}-{run}"
    with measured_cloud(folder, contender, _SETTINGS) as cloud:
        if contender is ONE_CALL:
            give_token(cloud)
        cloud.start_functions({"CreateUpgrade": 1})
        sent_s = _send_one_by_one(cloud, _WARM_UP + options.scaled(MESSAGES))
        latencies_ms = _latencies_ms(cloud, sent_s)[_WARM_UP:]
    say(f"latency, {contender.name}, run {run}: p50 {percentile(latencies_ms, 0.5):.1f} ms")
    return latencies_ms


def _send_one_by_one(cloud: MeasuredCloud, count: int) -> Mapping[str, float]:
    """Just before each customer's message was sent, in seconds since 1970."""
    sent_s: dict[str, float] = {}
    pauses = random.Random(NUMBER)  # noqa: S311  no secret
    with cloud.observer.bus.get_queue_sender(QUEUE) as sender:
        for number in range(1, count + 1):
            customer = str(uuid4())
            sent_s[customer] = _send(sender, customer)
            _wait_for_creates(cloud, number, pauses.uniform(*_PAUSES_S))
    return sent_s


def _send(sender: ServiceBusSender, customer: str) -> float:
    body = json.dumps({"customerId": customer, "productFamily": "Azure", "requestId": customer}).encode()
    sent_s = time.time()
    send(sender, [Outgoing(body, customer)])
    return sent_s


def _wait_for_creates(cloud: MeasuredCloud, count: int, pause_s: float) -> None:
    """Nothing is asked during the pause, in which a quick function makes its call: the system is idle."""
    time.sleep(pause_s)
    if cloud.upgrades().total() >= count:
        return
    if not cloud.wait_until(lambda: cloud.upgrades().total() >= count, timeout_s=30, every_s=0.05):
        raise NotEndedError(f"{cloud.contender.name}: no create call for a message")
    time.sleep(pause_s)


def _latencies_ms(cloud: MeasuredCloud, sent_s: Mapping[str, float]) -> list[float]:
    """In the order in which the messages were sent."""
    calls = cloud.cloud.fake("GET", "ledger")["calls"]
    arrived_s = {call["customerId"]: call["startedS"] for call in calls if call["kind"] == "create"}
    return [1000 * (arrived_s[customer] - sent) for customer, sent in sent_s.items()]
