"""`make chaos`: a campaign, its table, and exit code 1 where anything was lost, doubled or untrue.

usage: python -m tests.chaos [--seed N] [--requests N] [--invalid N] [--mix completes=3,failed=1] [--without RULE]
"""

import argparse
import logging
import os
import secrets
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from local.component import REPOSITORY
from tests.chaos import campaign, clock_jumps, report, rules
from tests.chaos.campaign import Size
from tests.chaos.invariants import Violation, check
from tests.chaos.workload import mix_from, quick_mix

CLOCK_JUMPS = 200
FULL_REQUESTS, FULL_INVALID = 3000, 2000
S_PER_REQUEST = 200 / 3000
SHORTEST_S = 20
QUICK_DRAIN_S = 60


def main() -> None:
    arguments = _arguments()
    for name in ("azure", "upgrades"):  # the campaign's own clients meet the faults, too
        logging.getLogger(name).setLevel(logging.CRITICAL)
    console = Console(width=None if sys.stdout.isatty() else 140)
    began = time.monotonic()
    seed = arguments.seed if arguments.seed is not None else secrets.randbelow(1_000_000)
    invalid = arguments.requests * FULL_INVALID // FULL_REQUESTS if arguments.invalid is None else arguments.invalid
    over_s = max(SHORTEST_S, arguments.requests * S_PER_REQUEST)
    size = Size(requests=arguments.requests, invalid=invalid, over_s=over_s)
    mix = arguments.mix
    if arguments.without:  # it may never drain, and to know that must not take long
        size, mix = replace(size, drain_s=QUICK_DRAIN_S), mix or quick_mix()
    console.print(f"Seed {seed}: {size.requests} requests and {size.invalid} invalid bodies ...", highlight=False)
    jumps = _clock_jumps(seed)
    folder = REPOSITORY / ".local" / "chaos"
    with tempfile.TemporaryDirectory() as scratch:
        app = rules.app_without(arguments.without, Path(scratch) / "app") if arguments.without else None
        outcome = campaign.run(folder, seed=seed, size=size, mix=mix, app=app)
    violations = [*jumps, *(Violation(5, problem, None) for problem in outcome.problems), *check(outcome.record)]
    found = report.summarize(seed, outcome, violations, CLOCK_JUMPS)
    report.show(found, outcome, console)
    path = folder / f"seed-{seed}.json"
    report.write(found, path)
    console.print(f"{time.monotonic() - began:.0f} s; {path.relative_to(REPOSITORY)}; again: {_again(arguments, seed)}")
    sys.exit(bool(violations))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    seed = os.environ.get("CHAOS_SEED")
    parser.add_argument(
        "--seed", type=int, default=int(seed) if seed else None, help="default: CHAOS_SEED, else random"
    )
    requests = int(os.environ.get("CHAOS_REQUESTS") or FULL_REQUESTS)
    parser.add_argument("--requests", type=int, default=requests, help="default: CHAOS_REQUESTS, else 3000")
    parser.add_argument("--invalid", type=int, help="default: two for three requests")
    parser.add_argument("--mix", type=mix_from, help="weights of the courses; default: all of them, mostly `completes`")
    parser.add_argument("--without", choices=sorted(rules.RULES), help="the app without one of its rules")
    return parser.parse_args()


def _clock_jumps(seed: int) -> list[Violation]:
    histories = (clock_jumps.simulate(seed * CLOCK_JUMPS + number) for number in range(CLOCK_JUMPS))
    return [Violation(1, f"clock jumps: {problem}", None) for problems in histories for problem in problems]


def _again(arguments: argparse.Namespace, seed: int) -> str:
    without = f" WITHOUT={arguments.without}" if arguments.without else ""
    return f"make chaos SEED={seed} REQUESTS={arguments.requests}{without}"


if __name__ == "__main__":
    main()
