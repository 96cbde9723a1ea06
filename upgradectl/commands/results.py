"""`upgradectl results`."""

import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import typer

from shared.models import Status, UpgradeResult
from upgradectl.commands import note_unreadable
from upgradectl.connections import Connections
from upgradectl.errors import CommandError, ExitCode
from upgradectl.export import Write, write_csv, write_json, write_jsonl
from upgradectl.figures import counted
from upgradectl.files import replaced, standard_output
from upgradectl.instants import Since, Until
from upgradectl.options import Invocation, command
from upgradectl.output import Output
from upgradectl.report import Scope, page
from upgradectl.selection import Selection, customer_id
from upgradectl.tally import tally

EXAMPLES = (
    "results --azd-env prod --output results.csv",
    "results --since 7d --output report.html",
    "results --status Failed --status Rejected --format jsonl | jq .errorCode",
)


class Format(StrEnum):
    """`JSON` is one array."""

    CSV = "csv"
    JSONL = "jsonl"
    JSON = "json"
    HTML = "html"


_BY_SUFFIX = {".ndjson": Format.JSONL, ".htm": Format.HTML, **{f".{known}": known for known in Format}}
_WRITE: dict[Format, Write] = {Format.CSV: write_csv, Format.JSONL: write_jsonl, Format.JSON: write_json}


@command
def run(  # noqa: PLR0913  its options
    invocation: Invocation,
    *,
    since: Since = None,
    until: Until = None,
    statuses: Annotated[
        list[Status],
        typer.Option(
            "--status",
            help=f"One of {', '.join(Status)}; may be repeated.",
            metavar="STATUS",
            case_sensitive=False,
        ),
    ] = [],  # noqa: B006  read as a declaration, never called
    customers: Annotated[
        list[str],
        typer.Option("--customer", parser=customer_id, metavar="ID", help="Only this one; may be repeated."),
    ] = [],  # noqa: B006
    form: Annotated[
        Format | None, typer.Option("--format", help="Default: what the file's name ends in, else csv.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="The file, replaced when all is written. Default: standard output.", metavar="FILE"),
    ] = None,
) -> None:
    """Export results: CSV, JSON Lines, JSON, or a report with charts in one HTML file.

    Columns: docs/tables.md; instants are UTC. --json is --format json: one array; jsonl has one object a line.

    In CSV a text that a spreadsheet would take for a formula has a ' before it. html needs --output.
    """
    selection = Selection(since, until, frozenset(statuses), tuple(customers))
    file = None if output == Path("-") else output
    chosen = _format(form, file, as_json=invocation.output.as_json)
    with invocation.connect("TABLES_URL") as connections:
        export = _Export(connections, selection, invocation.output)
        # Opened first: a file that cannot be written to is said before anything is read.
        with replaced(file) if file else standard_output() as out:
            export.write(chosen, out, is_shown=bool(file) or not sys.stdout.isatty())
    export.note(file)


def _format(given: Format | None, file: Path | None, *, as_json: bool) -> Format:
    if as_json and given not in (None, Format.JSON):
        raise CommandError("--json and --format say different things", "give one of them", code=ExitCode.USAGE)
    named = _BY_SUFFIX.get(file.suffix.lower()) if file else Format.CSV
    chosen = Format.JSON if as_json else given or named
    if chosen is None:
        raise CommandError(f"{file}: no format is known by this name", "give --format", code=ExitCode.USAGE)
    if chosen is Format.HTML and not file:
        raise CommandError("a report needs a file", "give --output report.html", code=ExitCode.USAGE)
    return chosen


@dataclass
class _Export:
    connections: Connections
    selection: Selection
    output: Output
    count: int = 0

    def write(self, form: Format, file: TextIO, *, is_shown: bool) -> None:
        """`is_shown`: the progress; between the lines of an export on the same screen it would spoil both."""
        with self.output.progress("results", None) if is_shown else nullcontext(_unseen) as advance:
            if form is Format.HTML:
                file.write(self._report(advance))
            else:
                _WRITE[form](self._results(advance), file)

    def note(self, file: Path | None) -> None:
        note_unreadable(self.output, self.connections.store)
        if file:
            self.output.note(f"{counted(self.count, 'result')} in {file}")

    def _results(self, advance: Callable[[int], None], *, line_items: bool = True) -> Iterator[UpgradeResult]:
        for result in self.selection.results(self.connections.store, line_items=line_items):
            yield result
            self.count += 1
            advance(1)

    def _report(self, advance: Callable[[int], None]) -> str:
        store, made_at = self.connections.store, self.connections.clock.now()
        # Before the results: what ends meanwhile is counted twice, and so never missing.
        in_flight = self.selection.in_flight(store)
        found = tally(self._results(advance, line_items=False))
        return page(
            found,
            Scope(made_at, self.selection.words, bool(self.selection.statuses), in_flight, len(store.unreadable)),
        )


def _unseen(_: int) -> None:
    return None
