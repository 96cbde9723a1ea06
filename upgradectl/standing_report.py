"""Where customers stand: a line for each request, for people and as CSV; and a JSON document."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.text import Text

from shared.entities import columns
from shared.models import InFlightUpgrade, UpgradeResult
from upgradectl import phrases
from upgradectl.export import harmless
from upgradectl.figures import counted
from upgradectl.instants import instant_text
from upgradectl.output import Cell, Output
from upgradectl.overview import Answer, Standing

COLUMNS = (
    *("customerId", "productFamily", "requestId", "state", "status", "nextAttemptAt", "lastReason", "lastCode"),
    *("lastDescription", "attempts", "polls", "upgradeId", "requestedAt", "finishedAt", "errorCode"),
    *("errorDescription", "duplicateOf", "answer", "answeredBy", "correlationId"),
)
_TEXT = 80
_NOT_KNOWN = "not known"

type Customers = Mapping[str, Sequence[Standing]]


def show(output: Output, customers: Customers, now: datetime) -> None:
    """For people. A customer's requests are in the order in which they ended, the one in flight last."""
    rows: list[Sequence[Cell]] = []
    for customer_id, standings in customers.items():
        if not standings:
            rows.append((customer_id, "-", "-", Text(_NOT_KNOWN, "yellow"), "-", ""))
        for standing in standings:
            rows += _rows(standing, now)
    output.table(("customer", "family", "request", "state", "finished", "more"), rows)


def summary(customers: Customers) -> str:
    """`3 customers: Completed 2, not known 1`: a customer's families are counted each."""
    counts = Counter(standing.current for standings in customers.values() for standing in standings)
    if unknown := sum(not standings for standings in customers.values()):
        counts[_NOT_KNOWN] = unknown
    found = ", ".join(f"{name} {count:,}" for name, count in counts.most_common())
    return f"{counted(len(customers), 'customer')}: {found}"


def document(customers: Customers) -> dict[str, Any]:
    """Names as in the tables; of results what `COLUMNS` has."""
    return {"customers": [_customer_document(customer, standings) for customer, standings in customers.items()]}


def records(customers: Customers) -> Iterator[dict[str, Any]]:
    """For CSV: of `COLUMNS` those that there are. A customer who is not known has a record too, with nothing else."""
    for customer_id, standings in customers.items():
        if not standings:
            yield {"customerId": customer_id}
        for standing in standings:
            yield from _result_documents(standing)
            if standing.row:
                yield columns(standing.row)


def cell(value: object) -> object:
    """Of a CSV file."""
    if isinstance(value, datetime):
        return instant_text(value)
    return harmless(value) if isinstance(value, str) else value


def _rows(standing: Standing, now: datetime) -> Iterator[Sequence[Cell]]:
    answers = standing.answers()
    of = (standing.customer_id, standing.product_family)
    for result in standing.results:
        more = _answered(answers[result.request_id]) if result.request_id in answers else _ended(result)
        yield *of, result.request_id, phrases.status(result.status), phrases.instant(result.finished_at), more
    if row := standing.row:
        yield *of, row.request_id, row.state, "-", _waits(row, now)


def _waits(row: InFlightUpgrade, now: datetime) -> str:
    why = phrases.short(" ".join(filter(None, (row.last_reason, row.last_code, row.last_description))), _TEXT)
    due = "due now" if row.next_attempt_at <= now else f"next attempt {phrases.relative(row.next_attempt_at, now)}"
    calls = f"{counted(row.attempts, 'attempt')}, {counted(row.polls, 'poll')}"
    return "; ".join(filter(None, (due, why, calls, _upgrade(row.upgrade_id))))


def _ended(result: UpgradeResult) -> str:
    why = phrases.short(" ".join(filter(None, (result.error_code, result.error_description))), _TEXT)
    return "; ".join(filter(None, (why, _upgrade(result.upgrade_id))))


def _upgrade(upgrade_id: str | None) -> str:
    return f"upgrade {phrases.short(upgrade_id, _TEXT)}" if upgrade_id else ""


def _answered(answer: Answer) -> str:
    """`of order-2, of order-1: Completed`."""
    chain = ", ".join(f"of {request_id}" for request_id in answer.request_ids)
    if answer.result:
        return f"{chain}: {answer.result.status}"
    if answer.row:
        return f"{chain}: {answer.row.state}, still in flight"
    return f"{chain}: which leads back to itself" if answer.is_ring else f"{chain}: of which nothing is known"


def _customer_document(customer_id: str, standings: Sequence[Standing]) -> dict[str, Any]:
    families = [
        {
            "productFamily": standing.product_family,
            "current": standing.current,
            "inFlight": columns(standing.row) if standing.row else None,
            "results": list(_result_documents(standing)),
        }
        for standing in standings
    ]
    return {"customerId": customer_id, "isKnown": bool(standings), "families": families}


def _result_documents(standing: Standing) -> Iterator[dict[str, Any]]:
    answers = standing.answers()
    for result in standing.results:
        answer = answers.get(result.request_id)
        found = {name: value for name, value in columns(result).items() if name in COLUMNS}
        yield found | (_answer_columns(answer) if answer else {})


def _answer_columns(answer: Answer) -> dict[str, str | None]:
    """`answer`: the verdict, or the state in flight; null where the chain is broken. `answeredBy`: its last request."""
    found = answer.result.status if answer.result else answer.row.state if answer.row else None
    return {"answer": found, "answeredBy": answer.request_ids[-1] if found else None}
