"""Scenario 3: what one created upgrade costs: CPU of the functions, and calls to the outside."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from bench.comparison import Comparison, Goal
from bench.contenders import TEXTBOOK, Contender, alternate
from bench.creating import Creation, Creations, creations
from bench.external_calls import calls_per_upgrade
from bench.figures import Figure, Options, Outcome, Row
from bench.one_call_app import ONE_CALL
from bench.progress import say

NUMBER = 3
TITLE = "Cost of a created upgrade"
TEXTBOOK_SHARE = 5
UPGRADES = 160  # to count the calls of

type Calls = Mapping[str, float]

_NEXT_TO_NONE = Goal("~ 0", lambda figure: figure.median <= 0.02)
_WASTEFUL = {"key_vault": "Key Vault", "identity": "managed identity", "token": "sign-in at the token endpoint"}
# With the least that an upgrade can do with.
_NEEDED = {"create": ("create", 1), "other": ("others of the API", 0), "tables": ("tables", 1)}


def run(options: Options) -> Outcome:
    return outcome(creations(options), alternate(options.runs, partial(_count_calls, options)))


def outcome(measured: Creations, calls: Mapping[Contender, Sequence[Calls]]) -> Outcome:
    cpu = tuple(_cpu_row(count, runs) for count, runs in measured.items())
    return Outcome(NUMBER, TITLE, (*cpu, *_call_rows(calls)), _NOTES)


_NOTES = (
    "CPU: user and system time of the functions' processes, from a warm start until every message is settled. The "
    "process is the worker and the host in one, so the broker's client is in it, for all three alike; the limit is a "
    "function that makes the one call and nothing else.",
    "Calls: after each thread has done its work once or twice, so what a process asks for at its start is left out. "
    "The limit is what a create call that is stored once needs.",
)


def _count_calls(options: Options, contender: Contender, run: int) -> Calls:
    folder = options.folder / f"{contender.name}-{run}"
    calls = calls_per_upgrade(folder, contender, options.scaled(UPGRADES))
    say(f"calls per upgrade, {contender.name}, run {run}: {', '.join(f'{k} {v:.2f}' for k, v in calls.items())}")
    return calls


def _cpu_row(count: int, runs: Mapping[Contender, Sequence[Creation]]) -> Row:
    most_ms = _cpu(runs[TEXTBOOK]).median / TEXTBOOK_SHARE
    goal = Goal(f"<= 1/{TEXTBOOK_SHARE} of the textbook's", lambda figure: figure.median <= most_ms)
    both = Comparison(runs, f"{count} at once")
    return both.row("CPU per created upgrade", _cpu(runs[ONE_CALL]), lambda run: run.cpu_ms, unit="ms", goal=goal)


def _cpu(runs: Iterable[Creation]) -> Figure:
    return Figure.of((run.cpu_ms for run in runs), "ms")


def _call_rows(calls: Mapping[Contender, Sequence[Calls]]) -> Iterator[Row]:
    both = Comparison(calls, "calls per upgrade")
    for kind, words in _WASTEFUL.items():
        yield both.row(words, "0", _count_of(kind), goal=_NEXT_TO_NONE)
    for kind, (words, least) in _NEEDED.items():
        yield both.row(words, str(least), _count_of(kind))


def _count_of(kind: str) -> Callable[[Calls], float]:
    return lambda calls: calls.get(kind, 0.0)
