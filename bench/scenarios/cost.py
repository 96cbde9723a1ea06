"""Scenario 3: what one created upgrade costs: CPU of the functions, and calls to the outside."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from bench.comparison import Comparison, Goal
from bench.contenders import TEXTBOOK, Contender, alternate
from bench.cpu_profile import Profile, packages, profiled
from bench.creating import Creation, Creations, create, creations, start_warm
from bench.deployed import DEFAULTS
from bench.external_calls import calls_per_upgrade
from bench.figures import Figure, Options, Outcome, Row
from bench.measured_cloud import measured_cloud
from bench.one_call_app import ONE_CALL
from bench.progress import say

NUMBER = 3
TITLE = "Cost of a created upgrade"
TEXTBOOK_SHARE = 5
UPGRADES = 160  # to count the calls of
PROFILED = 640  # upgrades

type Calls = Mapping[str, float]
type Profiles = Mapping[Contender, Sequence[Profile]]

_NEXT_TO_NONE = Goal("~ 0", lambda figure: figure.median <= 0.02)
_WASTEFUL = {"key_vault": "Key Vault", "identity": "managed identity", "token": "sign-in at the token endpoint"}
# With the least that an upgrade can do with.
_NEEDED = {"create": ("create", 1), "other": ("others of the API", 0), "tables": ("tables", 1)}


def run(options: Options) -> Outcome:
    calls = alternate(options.runs, partial(_count_calls, options))
    return outcome(creations(options), calls, alternate(1, partial(_profile, options)))


def outcome(measured: Creations, calls: Mapping[Contender, Sequence[Calls]], profiles: Profiles) -> Outcome:
    cpu = [_cpu_row(count, runs) for count, runs in measured.items()]
    return Outcome(NUMBER, TITLE, (*cpu, *_profile_rows(measured, profiles), *_call_rows(calls)), _NOTES)


_NOTES = (
    "CPU: user and system time of the functions' processes, from a warm start until every message is settled. The "
    "process is the worker and the host in one, so the broker's client is in it, for all three alike; the limit is a "
    "function that makes the one call and nothing else.",
    f"Of that: by samples (py-spy) of the threads that run Python code, of one process while it creates {PROFILED} "
    "upgrades. What the standard library does counts for the package that calls it.",
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


def _profile(options: Options, contender: Contender, _run: int) -> Profile:
    folder = options.folder / f"profile-{contender.name}"
    with measured_cloud(folder, contender, DEFAULTS) as cloud:
        start_warm(cloud, processes=1)
        (function,) = cloud.cloud.functions
        with profiled(function.pid, folder / "profile.txt") as profile:
            create(cloud, options.scaled(PROFILED))
    return profile


def _profile_rows(measured: Creations, profiles: Profiles) -> Iterator[Row]:
    """Shares of the time with the fewest calls at once, for which one process is enough."""
    count, runs = min(measured.items())
    cpu_ms = {who: _cpu(runs[who]).median for who in profiles}
    shares = {who: [(cpu_ms[who], profile) for profile in found] for who, found in profiles.items()}
    both = Comparison(shares, f"{count} at once, of that")
    for package in packages():
        yield both.row(package, None, partial(_ms_of, package), unit="ms")


def _ms_of(package: str, profiled_cpu: tuple[float, Profile]) -> float | None:
    cpu_ms, profile = profiled_cpu
    share = profile.share(package)
    return None if share is None else cpu_ms * share


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
