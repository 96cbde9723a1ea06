"""What is known of customers: asked for one by one where they are few, else all rows read once."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Protocol

from shared.models import InFlightUpgrade, UpgradeResult
from upgradectl.errors import CommandError, ExitCode
from upgradectl.overview import Standing, standings
from upgradectl.requests_file import opened

_FEW = 100  # two queries each, against all pages of two tables
_ANY = "any"  # batch: the request ids that are derived from it do not matter here


class Tables(Protocol):
    """What is read. All raise StoreUnavailable."""

    def list_in_flight(self) -> Iterable[InFlightUpgrade]: ...
    def list_all_results(self, *, line_items: bool = ...) -> Iterable[UpgradeResult]: ...
    def list_customer_in_flight(self, customer_id: str) -> list[InFlightUpgrade]: ...
    def list_customer_results(self, customer_id: str) -> list[UpgradeResult]: ...


def named_by(file: str, families: Sequence[str]) -> tuple[list[str], list[str]]:
    """The customers of a file of requests, each once; and where its lines are no requests.

    Raises:
        CommandError: it cannot be read, or names no customer.
    """
    customers: dict[str, None] = {}
    problems = []
    with opened(file, families=families, batch=_ANY) as requests:
        for entry in requests.entries():
            if entry.request:
                customers[entry.request.customer_id] = None
            else:
                problems.append(f"{requests.name}:{entry.line}: {entry.problem}")
    if not customers:
        raise CommandError(f"{file} names no customer", *problems[:1], code=ExitCode.USAGE)
    return list(customers), problems


def look_up(tables: Tables, customers: Collection[str]) -> Mapping[str, list[Standing]]:
    """Each customer's families; none where nothing is known."""
    return _all(tables, customers) if len(customers) > _FEW else _each(tables, customers)


def _each(tables: Tables, customers: Collection[str]) -> dict[str, list[Standing]]:
    return {
        customer: standings(tables.list_customer_in_flight(customer), tables.list_customer_results(customer))
        for customer in customers
    }


def _all(tables: Tables, customers: Collection[str]) -> dict[str, list[Standing]]:
    rows: dict[str, list[InFlightUpgrade]] = {customer: [] for customer in customers}
    for row in tables.list_in_flight():
        if row.customer_id in rows:
            rows[row.customer_id].append(row)
    results: dict[str, list[UpgradeResult]] = {}
    # A customer is a partition, and they come in order.
    for customer, found in groupby(tables.list_all_results(line_items=False), lambda result: result.customer_id):
        if customer in rows:
            results[customer] = list(found)
    return {customer: standings(rows[customer], results.get(customer, [])) for customer in customers}
