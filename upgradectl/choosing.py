"""Which requests an operator means: all, those of customers, or those of a file; and where they stand."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import Annotated, Protocol

import typer

from shared.models import InFlightUpgrade, UpgradeResult
from upgradectl.errors import CommandError, ExitCode
from upgradectl.overview import Standing, standings
from upgradectl.requests_file import opened
from upgradectl.selection import customer_id

_FEW = 100  # two queries each, against all pages of two tables
_SHOWN = 3

# A customer, and a family in lower case.
type Key = tuple[str, str]

Customers = Annotated[
    list[str] | None,
    typer.Argument(parser=customer_id, metavar="CUSTOMER", help="GUIDs.", show_default=False),
]
File = Annotated[
    str | None,
    typer.Option("--file", help="The requests of this file; - is standard input.", metavar="FILE", show_default=False),
]
Batch = Annotated[
    str | None,
    typer.Option(
        help="What was given to `submit`. Default: the file's name.", metavar="NAME", show_default=False
    ),
]  # fmt: skip
SkipInvalid = Annotated[bool, typer.Option("--skip-invalid", help="Leave out the file's lines that are no requests.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Change nothing: say what would be done.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


class Tables(Protocol):
    """What is read. All raise StoreUnavailable."""

    def list_in_flight(self) -> Iterable[InFlightUpgrade]: ...
    def list_all_results(self, *, line_items: bool = ...) -> Iterable[UpgradeResult]: ...
    def list_customer_in_flight(self, customer_id: str) -> list[InFlightUpgrade]: ...
    def list_customer_results(self, customer_id: str) -> list[UpgradeResult]: ...


@dataclass(frozen=True)
class Named:
    """What was asked for by name; nothing named means all. `requests`: the request ids of a file.

    `left_out`: the file's lines that are no requests, for people.
    """

    customers: frozenset[str] = frozenset()
    requests: Mapping[Key, Collection[str]] = field(default_factory=dict)
    left_out: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self.customers or self.requests)

    @property
    def all_customers(self) -> set[str]:
        return {*self.customers, *(customer for customer, _ in self.requests)}

    def holds(self, named: InFlightUpgrade | UpgradeResult) -> bool:
        if not self or named.customer_id in self.customers:
            return True
        return named.request_id in self.requests.get(key_of(named), ())


def key_of(named: InFlightUpgrade | UpgradeResult | Standing) -> Key:
    return named.customer_id, named.product_family.lower()


def named_by(
    customers: Collection[str] | None,
    file: str | None,
    batch: str | None,
    *,
    families: Sequence[str],
    skip_invalid: bool = False,
) -> Named:
    """
    Raises:
        CommandError: the file cannot be read, or a line of it is no request: nobody knows what is meant by it, and
            `skip_invalid` was not said.
    """
    if (batch or skip_invalid) and not file:
        option = "--batch" if batch else "--skip-invalid"
        raise CommandError(f"{option} goes with --file", code=ExitCode.USAGE)
    requests, problems = _requests_of(file, batch, families) if file else ({}, [])
    if problems and not skip_invalid:
        more = [f"and {len(problems) - _SHOWN:,} more"] if len(problems) > _SHOWN else []
        raise CommandError(
            "; ".join([*problems[:_SHOWN], *more]), "--skip-invalid leaves them out", code=ExitCode.USAGE
        )
    named = Named(frozenset(customers or ()), requests, problems)
    if file and not named.requests:
        raise CommandError(f"{file} names no request", code=ExitCode.USAGE)
    return named


def standings_of(tables: Tables, named: Named) -> Iterator[Standing]:
    """Of each customer that is meant, family by family; one by one where they are few, else from one reading of all."""
    if named and len(named.all_customers) <= _FEW:
        for customer in sorted(named.all_customers):
            rows = tables.list_customer_in_flight(customer)
            yield from standings(rows, tables.list_customer_results(customer))
        return
    yield from _read_once(tables, named.all_customers if named else None)


def _requests_of(
    file: str, batch: str | None, families: Sequence[str]
) -> tuple[Mapping[Key, Collection[str]], list[str]]:
    """And the lines that are none."""
    found: dict[Key, set[str]] = {}
    problems = []
    with opened(file, families=families, batch=batch) as requests:
        for entry in requests.entries():
            if entry.request:
                key = entry.request.customer_id, entry.request.product_family.lower()
                found.setdefault(key, set()).add(entry.request.request_id)
            else:
                problems.append(f"{requests.name}:{entry.line}: {entry.problem}")
    return found, problems


def _read_once(tables: Tables, customers: Collection[str] | None) -> Iterator[Standing]:
    rows: dict[str, list[InFlightUpgrade]] = {}
    # Before the results: a result is written before its row goes.
    for row in tables.list_in_flight():
        if customers is None or row.customer_id in customers:
            rows.setdefault(row.customer_id, []).append(row)
    # A customer is a partition, and they come in order.
    for customer, found in groupby(tables.list_all_results(line_items=False), attrgetter("customer_id")):
        if customers is None or customer in customers:
            yield from standings(rows.pop(customer, []), found)
    for left in rows.values():
        yield from standings(left, ())
