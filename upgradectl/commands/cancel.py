"""`upgradectl cancel`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer

from shared.models import Reason, Status
from upgradectl import cancel_report, choosing
from upgradectl.cancel_report import Done
from upgradectl.cancelling import Chosen, Kind, Outcome, Wanted, choose, withdraw_all
from upgradectl.choosing import key_of, named_by
from upgradectl.commands import note_left_out, note_unreadable
from upgradectl.connections import Connections
from upgradectl.errors import CommandError, ExitCode, explained
from upgradectl.figures import counted, duration
from upgradectl.instants import check_order, instant
from upgradectl.interrupts import between_steps
from upgradectl.options import Invocation, command
from upgradectl.output import Output
from upgradectl.stuck import STOPPING, Stuck, check_clock, give_up_all, stuck, words_of

EXAMPLES = (
    "cancel --file wrong.csv --dry-run",
    "cancel 2f3e9a10-5b1c-4d6e-8f70-a1b2c3d4e5f6",
    "cancel --reason gate --requested-since 2h --yes",
    "cancel --all --give-up --azd-env prod",
)
NEEDED = ("TABLES_URL",)
NEEDED_TO_ASK = ("PARTNER_TENANT_ID", "PARTNER_CLIENT_ID", "KEY_VAULT_URL")


@command
def run(  # noqa: PLR0913  a command's options
    invocation: Invocation,
    *,
    customers: choosing.Customers = None,
    file: choosing.File = None,
    batch: choosing.Batch = None,
    skip_invalid: choosing.SkipInvalid = False,
    everything: Annotated[bool, typer.Option("--all", help="Everything that is in flight.")] = False,
    reasons: Annotated[
        list[Reason] | None,
        typer.Option("--reason", help="What waits for this reason; more than once.", show_default=False),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option("--requested-since", parser=instant, metavar="WHEN", help="Asked for then or later: 2h, 7d."),
    ] = None,
    before: Annotated[
        datetime | None, typer.Option("--requested-before", parser=instant, metavar="WHEN", help="Asked for earlier.")
    ] = None,
    give_up: Annotated[
        bool, typer.Option("--give-up", help="End what is stuck: an unknown outcome, a deadline that has passed.")
    ] = False,
    dry_run: choosing.DryRun = False,
    yes: choosing.Yes = False,
) -> ExitCode:
    """Take back requests that wait: they end as Cancelled. Says what it will do, and asks.

    Only while surely no create call is on its way. Ends with 1 where some of what was asked for cannot be taken back.

    --give-up, where a create call may have gone through: eligibility tells. Without an upgrade the request has Failed.

    --give-up, where an upgrade is in progress past its deadline: the request has TimedOut.

    Needs Storage Table Data Contributor on the tables; --give-up also Key Vault Secrets User on both secrets.
    """
    output = invocation.output
    check_order(since, before, ("--requested-since", "--requested-before"))
    with invocation.connect(*NEEDED, *(NEEDED_TO_ASK if give_up else ())) as connections:
        families = connections.settings.product_families
        named = named_by(customers, file, batch, families=families, skip_invalid=skip_invalid)
        wanted = Wanted(named, frozenset(reasons or ()), since, before)
        _check(wanted, everything=everything)
        with output.busy("reading what is in flight"):
            chosen = choose(connections.store, wanted)
        note_left_out(output, named.left_out)
        note_unreadable(output, connections.store)
        asking = _Asking(connections, output, dry_run=dry_run, yes=yes)
        return _give_up(asking, chosen, named=bool(named)) if give_up else _cancel(asking, chosen)


@dataclass(frozen=True)
class _Asking:
    """What both ways of ending a request need."""

    connections: Connections
    output: Output
    dry_run: bool
    yes: bool

    def show(self, text: str) -> None:
        """What is going to be done: the result of a dry run, else a note."""
        if self.dry_run and not self.output.as_json:
            self.output.line(text)
        else:
            self.output.note(text)


def _check(wanted: Wanted, *, everything: bool) -> None:
    """Everything is meant only where that was said."""
    filters = bool(wanted.named or wanted.reasons or wanted.since or wanted.before)
    if everything and filters:
        raise CommandError("--all is everything: give it without customers, files and filters", code=ExitCode.USAGE)
    if not everything and not filters:
        remedy = "customers, --file, --reason, --requested-since, --requested-before, or --all"
        raise CommandError("say what is meant", remedy, code=ExitCode.USAGE)


def _cancel(asking: _Asking, chosen: Chosen) -> ExitCode:
    output, done, waiting = asking.output, Done(), chosen.rows[Kind.WAITING]
    cancel_report.show_chosen(chosen, asking.show)
    if waiting and not asking.dry_run:
        output.confirm(f"Withdraw {counted(len(waiting), 'request')}?", yes=asking.yes)
        _withdraw(asking, chosen, done)
    withdrawn, too_late = done.count(Outcome.WITHDRAWN), done.count(Outcome.TOO_LATE)
    if output.as_json:
        output.json(cancel_report.document(chosen, done, dry_run=asking.dry_run))
    elif not asking.dry_run:
        output.line(f"Withdrawn: {counted(withdrawn, 'request')}.{f' Too late: {too_late:,}.' if too_late else ''}")
    return ExitCode.NOT_OK if not asking.dry_run and (too_late or _is_short_of(chosen)) else ExitCode.OK


def _is_short_of(chosen: Chosen) -> bool:
    """Whether something that was asked for could not be withdrawn, and has not been before."""
    cannot = chosen.rows[Kind.UNKNOWN] or chosen.rows[Kind.IN_PROGRESS]
    return bool(cannot) or any(count and what != Status.CANCELLED for what, count in chosen.absent.items())


def _withdraw(asking: _Asking, chosen: Chosen, done: Done) -> None:
    output, waiting = asking.output, chosen.rows[Kind.WAITING]
    try:
        with output.progress("withdrawing", len(waiting)) as advance, between_steps() as is_over:
            for row, outcome in withdraw_all(asking.connections.ports, waiting, is_over):
                done.withdrawn[key_of(row)] = outcome
                advance(1)
    except KeyboardInterrupt:
        output.note(f"interrupted: {_so_far(done, len(waiting))}")
        raise
    except Exception as error:
        trouble = explained(error)
        message = f"{trouble.message}; {_so_far(done, len(waiting))}"
        raise CommandError(message, trouble.remedy, code=trouble.code) from error


def _so_far(done: Done, total: int) -> str:
    """A row that was marked and has no result yet is ended by PollUpgrade."""
    return f"{done.count(Outcome.WITHDRAWN):,} of {total:,} were surely withdrawn; a second run goes on"


def _give_up(asking: _Asking, chosen: Chosen, *, named: bool) -> ExitCode:
    connections, output, done = asking.connections, asking.output, Done()
    found = stuck(connections.ports, (row for rows in chosen.rows.values() for row in rows))
    cancel_report.show_stuck(found, chosen, asking.show)
    if chosen.rows[Kind.UNKNOWN] or chosen.rows[Kind.IN_PROGRESS]:
        cancel_report.show_limits(connections.settings, connections.target.has, asking.show)
    stopped: CommandError | None = None
    if found.rows and not asking.dry_run:
        check_clock(connections)
        output.confirm(f"Give up {counted(len(found.rows), 'request')}?", yes=asking.yes)
        stopped = _give_up_each(asking, found, done)
    if output.as_json:
        document = cancel_report.stuck_document(found, chosen, done, stopped)
        output.json({"dry_run": asking.dry_run, **document})
    elif not asking.dry_run:
        cancel_report.show_given_up(done, len(found.rows) - len(done.given_up), output.line)
    if stopped:
        raise stopped
    is_short = not asking.dry_run and cancel_report.is_short_of(found, chosen, done, named=named)
    return ExitCode.NOT_OK if is_short else ExitCode.OK


def _give_up_each(asking: _Asking, found: Stuck, done: Done) -> CommandError | None:
    """Why it ended before the last one. Whatever it was, each row was given up, or is as it was, or ends by itself."""
    output, ports = asking.output, asking.connections.ports

    def waits(wait_s: float) -> None:
        if wait_s >= 1:
            output.note(f"waiting {duration(wait_s)}: somebody may be in the middle of a create call")

    try:
        with output.progress("giving up", len(found.rows)) as advance:
            for row, given_up in give_up_all(ports, found.rows, waits):
                done.given_up[key_of(row)] = given_up
                advance(1)
                if given_up.trouble and not isinstance(given_up.trouble, STOPPING):
                    output.note(f"{row.customer_id} {row.product_family}: {words_of(ports, given_up.trouble)}")
    except KeyboardInterrupt:
        output.note(f"interrupted after {len(done.given_up):,} of {len(found.rows):,}; a second run goes on")
        raise
    except Exception as error:  # noqa: BLE001  what was done until then is still to be shown
        return explained(error)
    return None
