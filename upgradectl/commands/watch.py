"""`upgradectl watch`."""

import json
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from upgradectl import live_view
from upgradectl.commands import note_unreadable
from upgradectl.errors import ExitCode
from upgradectl.instants import as_text
from upgradectl.live_view import LiveView
from upgradectl.options import Invocation, command
from upgradectl.output import Output
from upgradectl.queue_depth import queue_depth
from upgradectl.watching import Snapshot, Watch

EXAMPLES = ("watch --local", "watch --every 30 --timeout 120", "watch --json | jq .inFlight.total")


@command
def run(
    invocation: Invocation,
    *,
    every: Annotated[float, typer.Option(help="Seconds from one look to the next.", min=0.1)] = 5,
    timeout: Annotated[
        float | None, typer.Option(help="Minutes after which to give up, and end with 3.", min=0, metavar="MINUTES")
    ] = None,
) -> ExitCode:
    """Look on until all that was submitted is final: no message waits, and nothing is in flight.

    Ends with 1 where something has failed since it began. It changes nothing; Ctrl-C ends the looking alone.
    """
    output = invocation.output
    with invocation.connect("TABLES_URL") as connections, _shown(output, invocation.target.source) as show:
        deadline = timedelta(hours=connections.settings.upgrade_deadline_h)
        watch = Watch(connections.store, partial(queue_depth, connections), connections.clock, deadline)
        timeout_s = math.inf if timeout is None else timeout * 60
        for snapshot in watch.snapshots(every_s=every, timeout_s=timeout_s):
            show(snapshot)
        note_unreadable(output, connections.store)
    _note(output, snapshot)
    return ExitCode.NOT_OK if snapshot.failed else ExitCode.OK


@contextmanager
def _shown(output: Output, system: str) -> Iterator[Callable[[Snapshot], None]]:
    """A terminal keeps the last view, however it ends."""
    console = Console(highlight=False, markup=False, emoji=False)
    if output.as_json:
        yield lambda snapshot: output.line(json.dumps(live_view.document(snapshot), default=as_text))
    elif not sys.stdout.isatty() or console.is_dumb_terminal:
        yield lambda snapshot: output.line(live_view.line(snapshot))
    else:
        with Live("looking ...", console=console, auto_refresh=False, vertical_overflow="crop") as live:
            yield lambda snapshot: live.update(LiveView(snapshot, system), refresh=True)


def _note(output: Output, last: Snapshot) -> None:
    if last.queue.unknown:
        output.note(f"whether messages wait on the queue is not known: {last.queue.unknown}")
    if last.failed:
        output.note(f"{last.failed:,} ended otherwise than Completed: `upgradectl results` tells why")
