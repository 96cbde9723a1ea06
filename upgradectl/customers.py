"""The customers that `status` is asked for, and what is known of them."""

from collections.abc import Collection, Mapping, Sequence

from upgradectl.choosing import Named, Tables, standings_of
from upgradectl.errors import CommandError, ExitCode
from upgradectl.overview import Standing
from upgradectl.requests_file import opened

_ANY = "any"  # batch: the request ids that are derived from it do not matter here


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
    found: dict[str, list[Standing]] = {customer: [] for customer in customers}
    for standing in standings_of(tables, Named(frozenset(customers))) if customers else ():
        found[standing.customer_id].append(standing)
    return found
