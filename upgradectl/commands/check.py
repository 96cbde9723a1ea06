"""`upgradectl check`."""

from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from upgradectl.connections import Connections
from upgradectl.eligibility import Checked, Checks, Subject, subject_of
from upgradectl.eligibility_record import WORDS, Record, opened, write_csv
from upgradectl.errors import CommandError, ExitCode
from upgradectl.files import standard_output
from upgradectl.given_requests import Customer, Family, File, SkipInvalid, given, show_problems, validated
from upgradectl.options import Invocation, command
from upgradectl.output import Output
from upgradectl.submit import Problem

EXAMPLES = (
    "check customers.csv",
    "check --customer 2f3e9a10-5b1c-4d6e-8f70-a1b2c3d4e5f6",
    "check customers.csv --record checked.csv",
)
NEEDED = ("PARTNER_TENANT_ID", "PARTNER_CLIENT_ID", "KEY_VAULT_URL", "TABLES_URL")
_STYLES = {True: "green", False: "red", None: "yellow"}
_BATCH = "check"  # request ids do not matter here


@command
def run(  # noqa: PLR0913  a command's options
    invocation: Invocation,
    *,
    file: File = None,
    customer: Customer = None,
    family: Family = None,
    skip_invalid: SkipInvalid = False,
    parallel: Annotated[int, typer.Option(help="Calls at once.", min=1, max=16)] = 4,
    record: Annotated[
        Path | None,
        typer.Option(
            help="Keep each answer in this file: a second run goes on with those who have none.",
            metavar="CSV",
            show_default=False,
        ),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="The result as CSV.")] = False,
) -> ExitCode:
    """Ask Partner Center whether customers are eligible, before anything irreversible.

    Asks with the app's own sign-in, and only while its gate is open: throttling closes it, for the app, too.

    Ends with 1 where not all are eligible, with 3 where it stopped: then a second run with --record goes on.

    Needs Key Vault Secrets User on both secrets, and Storage Table Data Contributor on the table UpgradeControl.
    """
    output = invocation.output
    if as_csv and output.as_json:
        raise CommandError("give either --csv or --json", code=ExitCode.USAGE)
    with invocation.connect(*NEEDED) as connections:
        families = connections.settings.product_families
        with given(file, customer, family=family, batch=_BATCH, families=families) as requests:
            problems = validated(output, requests).problems
            subjects = dict.fromkeys(subject_of(entry.request) for entry in requests.entries() if entry.request)
        if not output.as_json:
            show_problems(output.note if as_csv else output.line, requests.name, problems)
        goes_on = not problems or skip_invalid
        with opened(record) if record else nullcontext() as kept:
            outcome = _asked(connections, subjects if goes_on else (), parallel, kept, output)
    _show(output, outcome, len(subjects), problems, as_csv=as_csv)
    if outcome.stop:
        raise outcome.stop
    is_good = not problems and all(checked.is_eligible for checked in outcome.found)
    return ExitCode.OK if is_good else ExitCode.NOT_OK


@dataclass(frozen=True)
class _Outcome:
    """`found`: in the requests' order. `stop`: why the others were not asked."""

    found: Sequence[Checked]
    stop: CommandError | KeyboardInterrupt | None = None


def _asked(
    connections: Connections, subjects: Collection[Subject], parallel: int, record: Record | None, output: Output
) -> _Outcome:
    found = {subject: record.answers[subject] for subject in subjects if record and subject in record.answers}
    left = [subject for subject in subjects if subject not in found]
    stop: CommandError | KeyboardInterrupt | None = None
    try:
        with output.progress("asking", len(left)) as advance:
            for checked in Checks(connections.ports, parallel).run(left):
                found[checked.subject] = checked
                if record:
                    record.add(checked)
                advance(1)
    except (CommandError, KeyboardInterrupt) as error:
        stop = error
    return _Outcome([found[subject] for subject in subjects if subject in found], stop)


def _show(output: Output, outcome: _Outcome, customers: int, problems: Sequence[Problem], *, as_csv: bool) -> None:
    """The customers that are known, also where the others were not asked."""
    if as_csv:
        with standard_output() as file:
            write_csv(outcome.found, file)
    elif output.as_json:
        output.json(_document(outcome, customers, problems))
    elif outcome.found:
        output.table(
            ("customer", "family", "eligible", "upgrade in place", "reason"),
            [_row(checked) for checked in outcome.found],
        )
    counts = Counter(WORDS[checked.is_eligible] for checked in outcome.found)
    words = f"{counts['yes']:,} eligible, {counts['no']:,} not, {counts['unknown']:,} unknown"
    output.note(f"{customers:,} customers: {words}, {customers - len(outcome.found):,} not asked")


def _row(checked: Checked) -> Sequence[Text | str]:
    eligible = Text(WORDS[checked.is_eligible], _STYLES[checked.is_eligible])
    subject = checked.subject
    return subject.customer_id, subject.product_family, eligible, checked.upgrade_id or "-", checked.reason


def _document(outcome: _Outcome, customers: int, problems: Sequence[Problem]) -> dict[str, Any]:
    """`eligible`: null where the service did not say. `stopped`: why `not_asked` were not, else null."""
    found = [
        {
            "customer_id": checked.subject.customer_id,
            "product_family": checked.subject.product_family,
            "eligible": checked.is_eligible,
            "upgrade_id": checked.upgrade_id,
            "reason": checked.reason or None,
        }
        for checked in outcome.found
    ]
    stopped = outcome.stop.line if isinstance(outcome.stop, CommandError) else None
    invalid = [{"line": problem.line, "problem": problem.text} for problem in problems]
    return {"customers": found, "not_asked": customers - len(found), "stopped": stopped, "invalid": invalid}
