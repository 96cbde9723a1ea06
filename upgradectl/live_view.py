"""What a watch shows: on a terminal a view that fits it, elsewhere a line for each look, for machines a document."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.table import Table
from rich.text import Text

from shared.entities import columns
from shared.models import Reason, State, Status, UpgradeResult
from upgradectl import phrases
from upgradectl.figures import duration
from upgradectl.totals import in_flight_document, queue_document
from upgradectl.watching import Snapshot

_WIDE = 110  # columns
_COUNT = 6  # so wide from the beginning that the view does not jump when counts grow


@dataclass(frozen=True)
class LiveView:
    """`system`: its name. Takes as many of the last failures as the terminal is high."""

    snapshot: Snapshot
    system: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        above = Group(self._header(), "", self._counts(options.max_width), "", self._facts(options.max_width))
        height = len(console.render_lines(above, options.update(height=None)))
        yield above
        room = (
            options.size.height - height - 5
        )  # a blank line, a heading, the cursor's line, and some for what is noted in the end
        if self.snapshot.failures and room > 0:
            yield from ("", Text("Last failures", "bold"))
            yield from _failures(self.snapshot.failures[-room:], options.max_width)

    def _header(self) -> RenderableType:
        header = Table.grid(expand=True)
        header.add_column(no_wrap=True, ratio=1)
        header.add_column(justify="right", no_wrap=True)
        watched = f"{self.snapshot.at:%H:%M:%S} UTC, watched for {duration(self.snapshot.watched_s)}"
        header.add_row(Text(f"Upgrades: {self.system}", "bold"), watched)
        return header

    def _counts(self, width: int) -> RenderableType:
        counts = Table.grid(padding=(0, 8 if width >= _WIDE else 3))
        counts.add_row(self._results(), self._states(), self._reasons())
        return counts

    def _results(self) -> Table:
        table = _table("Results", "all", "new")
        for status in Status:
            count, new = self.snapshot.results.get(status, 0), self.snapshot.new.get(status, 0)
            table.add_row(phrases.status(status) if count else status, f"{count:,}", f"+{new:,}" if new else "")
        return table

    def _states(self) -> Table:
        rows = self.snapshot.rows
        table = _table("In flight", f"{rows.total:,}")
        for state in State:
            table.add_row(state, f"{rows.in_state(state):,}")
        if rows.overdue:
            table.add_row(Text("overdue", "yellow"), f"{rows.overdue:,}")
        return table

    def _reasons(self) -> Table:
        table = _table("Why they wait", "")
        for reason in Reason:
            if count := self.snapshot.rows.waiting_for(reason):
                table.add_row(reason, f"{count:,}")
        return table

    def _facts(self, width: int) -> Table:
        snapshot = self.snapshot
        facts = Table.grid(padding=(0, 3))
        facts.add_column(style="bold", no_wrap=True)
        facts.add_column()
        facts.add_row("Gate", phrases.gate(snapshot.gate, snapshot.at))
        facts.add_row("On the queue", _queue(snapshot))
        facts.add_row("Results a minute", _rate(snapshot))
        facts.add_row("Time left", _left(snapshot))
        if snapshot.trouble:
            facts.add_row(Text("Last look", "yellow"), Text(phrases.short(snapshot.trouble, 2 * width - 60), "yellow"))
        return facts


def line(snapshot: Snapshot) -> str:
    """For a log."""
    at = phrases.instant(snapshot.at)
    if snapshot.trouble:
        return f"{at}  the look failed: {snapshot.trouble}"
    states = ", ".join(f"{state} {count:,}" for state in State if (count := snapshot.rows.in_state(state)))
    new = ", ".join(f"{status} +{count:,}" for status in Status if (count := snapshot.new.get(status, 0)))
    total = sum(snapshot.results.values())
    parts = (
        f"in flight {snapshot.rows.total:,}{f' ({states})' if states else ''}",
        f"results {total:,}{f' ({new})' if new else ''}",
        f"a minute {_rate(snapshot)}",
        f"time left {_left(snapshot)}",
        f"queue {_queue(snapshot)}",
        f"gate {phrases.gate(snapshot.gate, snapshot.at)}",
    )
    return f"{at}  {'; '.join(parts)}"


def document(snapshot: Snapshot) -> dict[str, Any]:
    """Names as in the tables."""
    left = snapshot.left
    return {
        "at": snapshot.at,
        "isFinal": snapshot.is_final,
        "inFlight": in_flight_document(snapshot.rows),
        "results": {status: snapshot.results.get(status, 0) for status in Status},
        "newResults": {status: snapshot.new.get(status, 0) for status in Status},
        "queue": queue_document(snapshot.queue),
        "gate": columns(snapshot.gate),
        "resultsPerMinute": snapshot.per_minute,
        "timeLeft": {"seconds": left.seconds, "atLeast": left.at_least} if left else None,
        "trouble": snapshot.trouble or None,
    }


def _table(title: str, *counts: str) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    for _ in counts:
        table.add_column(justify="right", no_wrap=True, min_width=_COUNT)
    table.add_row(Text(title, "bold"), *(Text(count, "bold") for count in counts))
    return table


def _failures(failures: tuple[UpgradeResult, ...], width: int) -> Iterator[Text]:
    """The newest last, each cut to one line."""
    status_width = max(len(result.status) for result in failures)
    for result in failures:
        time = f"{result.finished_at:%H:%M:%S}  " if width >= _WIDE else ""
        why = phrases.short(f"{result.error_code or ''} {result.error_description or ''}", width)
        status = (result.status.ljust(status_width), "red")
        yield Text.assemble(f"{time}{result.customer_id}  ", status, f"  {why}", no_wrap=True, overflow="ellipsis")


def _queue(snapshot: Snapshot) -> str:
    queue = snapshot.queue
    if queue.unknown:
        return f"{phrases.count(None, queue.unknown)}; by the tables alone"
    dead = f"; dead letters: {phrases.count(queue.dead_letters, '')}" if queue.dead_letters else ""
    return f"{phrases.count(queue.waiting, '')}{dead}"


def _rate(snapshot: Snapshot) -> str:
    return "not known yet" if snapshot.per_minute is None else f"{snapshot.per_minute:,.0f}"


def _left(snapshot: Snapshot) -> str:
    if snapshot.is_idle:
        return "all is final" if snapshot.is_final else "nothing is in flight; one more look"
    return phrases.time_left(snapshot.left)
