"""`upgradectl status`."""

import csv
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Annotated

import typer
from rich.text import Text

from upgradectl import customers, standing_report
from upgradectl.commands import note_left_out, note_unreadable
from upgradectl.connections import Connections
from upgradectl.errors import CommandError, ExitCode
from upgradectl.files import standard_output
from upgradectl.options import Invocation, command
from upgradectl.output import Output
from upgradectl.overview import in_flight
from upgradectl.queue_depth import QueueDepth, queue_depth
from upgradectl.selection import customer_id
from upgradectl.totals import RECORD_COLUMNS, Totals

EXAMPLES = (
    "status --azd-env prod",
    "status 2f3e9a10-5b1c-4d6e-8f70-a1b2c3d4e5f6",
    "status --file customers.csv --csv > status.csv",
)


@command
def run(
    invocation: Invocation,
    *,
    asked_for: Annotated[
        list[str] | None,
        typer.Argument(parser=customer_id, metavar="CUSTOMER", help="GUIDs.", show_default=False),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option("--file", help="The customers of this file of requests; - is standard input.", metavar="FILE"),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="The result as CSV.")] = False,
) -> ExitCode:
    """Show totals, or where customers stand: in flight and why it waits, how it ended.

    A duplicate is followed to the request that answers it. Ends with 1 where a customer is not known at all: neither a
    row in flight nor a result, though a message may still wait on the queue.
    """
    output = invocation.output
    if output.as_json and as_csv:
        raise CommandError("--json and --csv say different things", "give one of them", code=ExitCode.USAGE)
    with invocation.connect("TABLES_URL") as connections:
        if not asked_for and not file:
            _show_totals(output, _read_totals(output, connections), as_csv=as_csv)
            code = ExitCode.OK
        else:
            wanted = _wanted(output, connections, asked_for or [], file)
            code = _show_customers(output, connections, wanted, as_csv=as_csv)
        note_unreadable(output, connections.store)
    return code


def _read_totals(output: Output, connections: Connections) -> Totals:
    store, now = connections.store, connections.clock.now()
    deadline_h = connections.settings.upgrade_deadline_h
    with output.busy("reading"):
        return Totals(
            at=now,
            # Against the stream: what leaves one of them while it is read is already in the next.
            queue=_queue(connections),
            rows=in_flight(store.list_in_flight(), now, timedelta(hours=deadline_h)),
            results=store.count_results(),
            gate=store.get_gate(),
            deadline_h=deadline_h,
        )


def _queue(connections: Connections) -> QueueDepth:
    """The tables have more to tell: where the queue does not answer, they are shown nevertheless."""
    try:
        return queue_depth(connections)
    except CommandError as error:
        return QueueDepth(unknown=error.message)


def _show_totals(output: Output, totals: Totals, *, as_csv: bool) -> None:
    if output.as_json:
        output.json(totals.document())
    elif as_csv:
        _write_csv(RECORD_COLUMNS, totals.records())
    else:
        totals.show(output)
        output.line(Text.assemble((f"{'System':16}", "bold"), output.system))


def _wanted(output: Output, connections: Connections, given: Sequence[str], file: str | None) -> list[str]:
    found, problems = customers.named_by(file, connections.settings.product_families) if file else ([], [])
    note_left_out(output, problems)
    return list(dict.fromkeys((*given, *found)))


def _show_customers(output: Output, connections: Connections, wanted: Sequence[str], *, as_csv: bool) -> ExitCode:
    with output.busy("reading"):
        found = customers.look_up(connections.store, wanted)
    if output.as_json:
        output.json(standing_report.document(found))
    elif as_csv:
        names = standing_report.COLUMNS
        records = standing_report.records(found)
        _write_csv(names, ([standing_report.cell(record.get(name)) for name in names] for record in records))
    else:
        standing_report.show(output, found, connections.clock.now())
    if len(found) > 1:
        output.note(standing_report.summary(found))
    return ExitCode.OK if all(found.values()) else ExitCode.NOT_OK


def _write_csv(names: Sequence[str], records: Iterable[Iterable[object]]) -> None:
    with standard_output() as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(records)
