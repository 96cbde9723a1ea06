"""`make bench`: runs the scenarios on the local cloud and writes what they measured.

usage: python -m bench [--only N]... [--runs 3] [--scale 1.0]
"""

import argparse
import importlib
import pkgutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Protocol, cast

from rich.console import Console

from bench import report, results, scenarios
from bench.figures import Options, Outcome
from bench.progress import say
from bench.provenance import command_line, provenance
from bench.results import Result
from local.component import REPOSITORY

HERE = Path(__file__).parent
LOCAL = REPOSITORY / ".local" / "bench"
FEWEST_RUNS = 3  # of a result
WIDE = 140  # columns, where the output goes to no terminal


class Scenario(Protocol):
    NUMBER: int
    TITLE: str
    run: Callable[[Options], Outcome]


def main() -> None:
    arguments = _parse_arguments()
    for sig in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sig, _end)
    known = find_scenarios()
    numbers = arguments.only or sorted(known)
    if unknown := set(numbers) - set(known):
        sys.exit(f"no such scenario: {_listed(unknown)}; there are {_listed(known)}")
    importlib.import_module("bench.plots")  # what is missing is to be missed now, not after hours
    failed = [number for number in numbers if not _run(known[number], arguments.runs, arguments.scale)]
    if failed:
        sys.exit(f"failed: {_listed(failed)}")


def find_scenarios() -> dict[int, Scenario]:
    """By number; modules without one are what scenarios share."""
    names = [module.name for module in pkgutil.iter_modules(scenarios.__path__)]
    modules = [importlib.import_module(f"bench.scenarios.{name}") for name in names]
    return {module.NUMBER: cast("Scenario", module) for module in modules if hasattr(module, "NUMBER")}


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", type=int, action="append", metavar="N", help="this scenario; may be given again")
    parser.add_argument("--runs", type=int, default=3, help="how often each is measured; default: 3")
    parser.add_argument("--scale", type=float, default=1.0, help="0.05: a twentieth of the load, to try it out")
    return parser.parse_args()


def _end(sig: int, _frame: FrameType | None) -> None:
    """Unwinds, so that every process that was started is ended; a second signal does not cut that short."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + sig)


def _run(scenario: Scenario, runs: int, scale: float) -> bool:
    """Whether it could be measured; one that fails does not end the others."""
    say(f"[bold]{scenario.NUMBER}. {scenario.TITLE}[/]")
    began = time.monotonic()
    folder = LOCAL / str(scenario.NUMBER)
    source = provenance(command_line(sys.argv[1:]))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        outcome = scenario.run(Options(folder=folder, runs=runs, scale=scale))
    except Exception:  # noqa: BLE001  whatever it was
        traceback.print_exc()
        return False
    say(f"took {time.monotonic() - began:.0f} s")
    console = Console() if sys.stdout.isatty() else Console(width=WIDE)
    console.print(report.terminal_table(outcome))
    _write(Result(outcome, source, runs, scale))
    return True


def _write(result: Result) -> None:
    """Few runs, or a smaller load, try the benchmark out: they replace no result."""
    folder = HERE if result.runs >= FEWEST_RUNS and result.scale == 1 else LOCAL
    all_results = results.merged(results.read(folder / "results.json"), result)
    results.write(folder / "results.json", all_results)
    (folder / "RESULTS.md").write_text(report.markdown(all_results))
    _draw(folder / "plots", result.outcome)
    say(f"written to {(folder / 'RESULTS.md').relative_to(REPOSITORY)}")


def _draw(folder: Path, outcome: Outcome) -> None:
    from bench.plots import draw  # noqa: PLC0415  what only looks at the scenarios does without it

    for old in folder.glob(f"{outcome.number}-*.svg"):
        old.unlink()
    for plot in outcome.plots:
        draw(plot, folder / report.plot_file_name(outcome.number, plot))


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))


if __name__ == "__main__":
    main()
