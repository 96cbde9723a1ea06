"""Scenario 7: from the start of a worker to its first completed invocation, and what the imports have to do with it."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from bench.comparison import Comparison, Goal
from bench.contenders import APP, BOTH, TEXTBOOK, Contender, alternate
from bench.deployed import DEFAULTS
from bench.figures import Figure, Options, Outcome, Row
from bench.import_times import STANDARD_LIBRARY, bytecode_in, from_source, import_ms
from bench.measured_cloud import MeasuredCloud, NotEndedError, measured_cloud
from bench.progress import say
from local.component import REPOSITORY

NUMBER = 7
TITLE = "Cold start: from the start of a worker to its first completed invocation"
GOAL_TIMES = 2
_LISTED = 12  # packages
BARE = Contender("bare", REPOSITORY / "bench" / "bare", APP.table, APP.ended)
# What a first invocation imports: the function's module, and what that imports then.
IMPORTS: Mapping[Contender, str] = {
    BARE: "import bench.bare.CreateUpgrade",
    TEXTBOOK: "import bench.textbook.CreateUpgrade",
    APP: "import CreateUpgrade, shared.wiring, shared.messages",
}
_EXECUTED = re.compile(r"Executed 'Functions\.CreateUpgrade' \(Succeeded, .*Duration=(\d+)ms\)")
_NOTES = (
    "A message waits on the queue; then one process of CreateUpgrade is started. The limit is an app that imports "
    "azure.functions and requests and does nothing. The files are in the operating system's cache, as bytecode.",
    "The app's first invocation imports the core, asks for a token of its identity, reads the gate, claims, checks, "
    "reads two secrets, signs in and creates: on the platform each of those calls adds a round trip.",
    "Imports of one interpreter, by package; a package's own modules, not what they import of other packages. From "
    "source: as where dependencies are deployed without bytecode, and mounted so that none can be written; `make "
    "package` puts bytecode beside them.",
    "Lazy now: the app imports azure.functions and the standard library when it is loaded, and all else inside the "
    "first invocation, which uses nearly all of it: to import less there would only move the time to a later message. "
    "Not used there: what is PollUpgrade's (a few modules of the core), and cryptography unless a certificate is set, "
    "which azure.identity imports by itself. werkzeug comes with azure.functions.",
)


@dataclass(frozen=True)
class Start:
    """`invocation_ms`: of `total_ms`, the first invocation, as the host has it."""

    total_ms: float
    invocation_ms: float


@dataclass(frozen=True)
class Imports:
    """Milliseconds by package."""

    from_bytecode: Counter[str]
    from_source: Counter[str]


def run(options: Options) -> Outcome:
    contenders = (*BOTH, BARE)
    bytecode = bytecode_in(options.folder / "bytecode")
    with measured_cloud(options.folder / "cloud", APP, {**DEFAULTS, **bytecode}) as cloud:
        for contender in contenders:
            _start(cloud, contender, 0)  # finds no bytecode, and leaves it behind
        starts = alternate(options.runs, partial(_start, cloud), contenders)
    imports = alternate(options.runs, partial(_imports, options), contenders)
    return outcome(starts, imports)


def _start(cloud: MeasuredCloud, contender: Contender, run: int) -> Start:
    cloud.cloud.app = contender.folder
    cloud.send(1)
    cloud.start_functions({"CreateUpgrade": 1})
    began_s = cloud.cloud.functions[0].started_at
    found: list[Start] = []

    def has_ended() -> bool:
        found.extend(starts_in(cloud.cloud.logs(), began_s))
        return bool(found)

    if not cloud.wait_until(has_ended, timeout_s=60, every_s=0.2):
        raise NotEndedError(f"{contender.name}: no invocation succeeded; see {cloud.cloud.folder / 'logs'}")
    cloud.stop_functions()
    say(f"cold start, {contender.name}, run {run}: {found[0].total_ms:.0f} ms")
    return found[0]


def starts_in(lines: Iterator[Mapping[str, Any]], began_s: float) -> Iterator[Start]:
    """The invocations that a process completed, of the host's log lines; it was started at `began_s`, since 1970."""
    for line in lines:
        ended_s = datetime.fromisoformat(line["TimeGenerated"]).timestamp()
        if ended_s >= began_s and (executed := _EXECUTED.match(line["Message"])):
            yield Start(1000 * (ended_s - began_s), float(executed[1]))


def _imports(options: Options, contender: Contender, run: int) -> Imports:
    """The first one of all leaves the bytecode behind."""
    statement, folder = IMPORTS[contender], options.folder
    kept = {**os.environ, **bytecode_in(folder / "bytecode")}
    if run == 1:
        import_ms(statement, kept)
    return Imports(import_ms(statement, kept), import_ms(statement, {**os.environ, **from_source(folder / "none")}))


def outcome(starts: Mapping[Contender, Sequence[Start]], imports: Mapping[Contender, Sequence[Imports]]) -> Outcome:
    rows = (*_start_rows(starts), *_import_rows(imports))
    return Outcome(NUMBER, TITLE, rows, _NOTES)


def _start_rows(starts: Mapping[Contender, Sequence[Start]]) -> Iterator[Row]:
    def row(name: str, pick: Callable[[Start], float]) -> Row:
        return Comparison(starts).row(name, Figure.of(map(pick, starts[BARE]), "ms"), pick, unit="ms")

    yield row("start to first completed invocation", lambda start: start.total_ms)
    yield row("of that before the invocation", lambda start: start.total_ms - start.invocation_ms)
    yield row("of that the invocation", lambda start: start.invocation_ms)
    times = {contender: _times_bare(starts, contender) for contender in BOTH}
    goal = Goal(f"<= {GOAL_TIMES}x", lambda figure: figure.median <= GOAL_TIMES)
    yield Comparison(times).row("start, times the limit", "1x", float, unit="x", goal=goal)


def _times_bare(starts: Mapping[Contender, Sequence[Start]], contender: Contender) -> list[float]:
    """Run by run: they take turns, so each stands beside the one that met the same minute of the machine."""
    pairs = zip(starts[contender], starts[BARE], strict=True)
    return [own.total_ms / least.total_ms for own, least in pairs]


def _import_rows(imports: Mapping[Contender, Sequence[Imports]]) -> Iterator[Row]:
    def row(name: str, pick: Callable[[Imports], float]) -> Row:
        return Comparison(imports, "imports").row(name, Figure.of(map(pick, imports[BARE]), "ms"), pick, unit="ms")

    yield row("all, from bytecode", lambda found: found.from_bytecode.total())
    yield row("all but the standard library, from source", lambda found: _deployed_ms(found.from_source))
    for package in _costliest([found.from_bytecode for found in imports[APP]]):
        yield row(package, lambda found, package=package: found.from_bytecode[package])  # type: ignore[misc]


def _deployed_ms(ms: Counter[str]) -> float:
    return ms.total() - ms[STANDARD_LIBRARY]


def _costliest(runs: Sequence[Counter[str]]) -> list[str]:
    medians = {package: Figure.of(run[package] for run in runs).median for package in set().union(*runs)}
    return sorted(medians, key=lambda package: -medians[package])[:_LISTED]
