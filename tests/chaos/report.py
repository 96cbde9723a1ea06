"""What a campaign found: one table for people, JSON for everything else."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from local.truth import Key
from tests.chaos import memory
from tests.chaos.campaign import Outcome
from tests.chaos.invariants import Violation, history
from tests.chaos.record import Record

LONGEST = 10  # violations that are shown with their history


@dataclass(frozen=True)
class Report:
    """Everything that is worth keeping of a run."""

    seed: int
    faults: Mapping[str, int]
    figures: Mapping[str, Any]
    results: Mapping[str, int]
    violations: Sequence[Violation]


def summarize(seed: int, outcome: Outcome, violations: Sequence[Violation], clock_jumps: int) -> Report:
    record = outcome.record
    calls = Counter(call["kind"] for call in record.ledger["calls"])
    keys = {sent.key for sent in record.sent if sent.key}
    resident = memory.slope(record.memory)
    figures = {
        "requests": len(keys),
        "messages": len(record.sent),
        "invalid bodies": sum(sent.key is None for sent in record.sent),
        "dead letters": len(record.dead),
        "create calls": calls["create"],
        "status calls": calls["status"],
        "eligibility calls": calls["eligibility"],
        "token requests": len(record.ledger["tokens"]),
        "upgrades created": len(record.ledger["upgrades"]),
        "writes of rows": len(record.writes),
        "processes that died": outcome.deaths,
        "requests withdrawn": outcome.withdrawn,
        "consents": outcome.consents,
        "faults": sum(outcome.injected.values()),
        "simulated histories with clock jumps": clock_jumps,
        "sending and faults, s": round(outcome.sending_s, 1),
        "draining, s": round(outcome.draining_s, 1),
        **{f"largest {name}, MB": _largest_mb(record, name) for name in ("CreateUpgrade", "PollUpgrade")},
        "growth of a process, MB a minute": round(resident.slope_mb_per_min, 2),
        "violations": len(violations),
    }
    results = Counter(result.status.value for result in record.results)
    return Report(seed, dict(outcome.injected), figures, dict(sorted(results.items())), violations)


def _largest_mb(record: Record, function: str) -> float:
    sizes = [sample.rss_mb for sample in record.memory if sample.process.startswith(function)]
    return round(max(sizes, default=0.0), 1)


def write(report: Report, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(report), indent=2) + "\n")


def show(report: Report, outcome: Outcome, console: Console) -> None:
    table = Table("", "", title=f"Campaign with seed {report.seed}", show_header=False)
    for rows in (report.faults, report.results, report.figures):
        for name, count in sorted(rows.items()) if rows is report.faults else rows.items():
            table.add_row(name, f"{count:,}" if isinstance(count, int) else str(count))
        table.add_section()
    console.print(table)
    for violation in report.violations[:LONGEST]:
        _show_violation(violation, outcome, console)
    if len(report.violations) > LONGEST:
        console.print(f"... and {len(report.violations) - LONGEST} more, see the JSON")


def _show_violation(violation: Violation, outcome: Outcome, console: Console) -> None:
    console.print(f"[red]invariant {violation.invariant}[/] {violation.text}", highlight=False)
    for line in _history(outcome, violation.key):
        console.print(f"    {line}", highlight=False, markup=False)


def _history(outcome: Outcome, key: Key | None) -> list[str]:
    return history(outcome.record, key) if key else []
