"""What is going to be cancelled or given up, and what became of it, for people and for machines."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from shared.giving_up import Ending, GivenUp
from shared.models import InFlightUpgrade, Status
from shared.settings import Settings
from upgradectl.cancelling import Absent, Chosen, Kind, Outcome
from upgradectl.choosing import Key, key_of
from upgradectl.errors import CommandError
from upgradectl.figures import counted, duration
from upgradectl.stuck import Stuck

_SHOWN = 5
_CANNOT = {
    Kind.UNKNOWN: "a create call may have gone through (--give-up asks, and ends them)",
    Kind.IN_PROGRESS: "the upgrade is in progress",
}
_ON_THE_QUEUE = "; they may still be on the queue: `pause` first, run this again when it is empty"

type Show = Callable[[str], None]


@dataclass
class Done:
    """What became of rows, by their keys."""

    withdrawn: dict[Key, Outcome] = field(default_factory=dict)
    given_up: dict[Key, GivenUp] = field(default_factory=dict)

    def count(self, outcome: Outcome) -> int:
        return sum(one is outcome for one in self.withdrawn.values())

    def endings(self) -> Counter[str]:
        """`Failed`, `TimedOut`... of those that have a verdict now."""
        return Counter(str(one.status or one.ending) for one in self.given_up.values())


def show_chosen(chosen: Chosen, show: Show) -> None:
    waiting = chosen.rows[Kind.WAITING]
    show(f"To be withdrawn: {counted(len(waiting), 'request')}")
    for reason, count in Counter(row.last_reason or row.state.lower() for row in waiting).most_common():
        show(f"  {count:,} {reason}")
    for row in waiting[:_SHOWN]:
        show(f"  e.g. {_line(row)}")
    if hanging := sum(map(len, chosen.duplicates.values())):
        show(f"Duplicates that they answer: {hanging:,}; a Cancelled request will answer them, `retry` sends it again")
        for key, ids in islice(chosen.duplicates.items(), _SHOWN):
            show(f"  e.g. {key[0]}: {', '.join(ids[:_SHOWN])}{' ...' if len(ids) > _SHOWN else ''}")
    _show_others(chosen, show)


def _show_others(chosen: Chosen, show: Show) -> None:
    """What was asked for, and will not be withdrawn."""
    for kind, why in _CANNOT.items():
        if rows := chosen.rows[kind]:
            show(f"Cannot be withdrawn: {len(rows):,}, {why}; e.g. {_line(rows[0])}")
    _show_withdrawn(len(chosen.rows[Kind.WITHDRAWN]), show)
    _show_absent(chosen, show)


def _show_withdrawn(count: int, show: Show) -> None:
    if count:
        show(f"Withdrawn already: {count:,}; PollUpgrade ends them")


def _show_absent(chosen: Chosen, show: Show) -> None:
    for what, count in chosen.absent.most_common():
        if count:
            show(f"Not in flight: {count:,} {what}{_ON_THE_QUEUE if what == Absent.NOWHERE else ''}")


def show_stuck(found: Stuck, chosen: Chosen, show: Show) -> None:
    show(f"To be given up: {counted(len(found.rows), 'request')}")
    if found.unknown:
        show(f"  {len(found.unknown):,} whose outcome is unknown: eligibility is asked; e.g. {_line(found.unknown[0])}")
    if found.overdue:
        show(f"  {len(found.overdue):,} in progress past the deadline; e.g. {_line(found.overdue[0])}")
    if found.wait_s:
        show(f"Somebody may be in the middle of a create call: waits for about {duration(found.wait_s)}")
    if found.under_way:
        count, example = len(found.under_way), _line(found.under_way[0])
        show(f"Left as they are: {count:,}, a create call is under way; e.g. {example}")
    if found.left:
        show(f"Left as they are: {found.left:,}, which wait, or are in progress within the deadline")
    _show_withdrawn(found.withdrawn, show)
    _show_absent(chosen, show)


def show_limits(settings: Settings, is_given: Callable[[str], bool], show: Show) -> None:
    """By a wrong value, something ends too early; and the app's own settings are not to be seen from here."""
    values = {"LEASE_S": f"{settings.lease_s:g} s", "UPGRADE_DEADLINE_H": f"{settings.upgrade_deadline_h:g} h"}
    words = [f"{name} {value}{'' if is_given(name) else ' (default)'}" for name, value in values.items()]
    show(f"{', '.join(words)}: as the app has them?")


def show_given_up(done: Done, not_tried: int, show: Show) -> None:
    words = [f"{count:,} {ending}" for ending, count in sorted(done.endings().items())]
    show(f"Given up: {', '.join(words) or 'none'}.{f' Not tried: {not_tried:,}.' if not_tried else ''}")
    if Status.TIMED_OUT in done.endings():
        show("An upgrade that has timed out may still complete.")


def document(chosen: Chosen, done: Done, *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "withdrawn": done.count(Outcome.WITHDRAWN),
        "too_late": done.count(Outcome.TOO_LATE),
        "not_in_flight": _not_in_flight(chosen),
        "requests": [
            _request(row, kind, chosen, done.withdrawn.get(key_of(row)))
            for kind, rows in chosen.rows.items()
            for row in rows
        ],
    }


def stuck_document(found: Stuck, chosen: Chosen, done: Done, stopped: CommandError | None) -> dict[str, Any]:
    """`stopped`: why those without an outcome were not tried, else null."""
    return {
        "left": found.left,
        "under_way": [_names(row) for row in found.under_way],
        "withdrawn": found.withdrawn,
        "not_in_flight": _not_in_flight(chosen),
        "stopped": stopped.line if stopped else None,
        "requests": [{**_names(row), **_given_up(done.given_up.get(key_of(row)))} for row in found.rows],
    }


def is_short_of(found: Stuck, chosen: Chosen, done: Done, *, named: bool) -> bool:
    """Whether something is not ended that should be. `named`: then all of it should."""
    endings = {one.ending for one in done.given_up.values()}
    if endings & {Ending.CHANGED, Ending.UNANSWERED}:
        return True
    is_left = bool(found.left or found.under_way or Ending.LEFT in endings)
    return named and (is_left or any(chosen.absent[what] for what in Absent))


def _not_in_flight(chosen: Chosen) -> dict[str, int]:
    return {str(what): count for what, count in chosen.absent.items() if count}


def _request(row: InFlightUpgrade, kind: Kind, chosen: Chosen, outcome: Outcome | None) -> Mapping[str, Any]:
    duplicates: Sequence[str] = chosen.duplicates.get(key_of(row), ()) if kind is Kind.WAITING else ()
    return {**_names(row), "was": kind, "outcome": outcome, "duplicates": duplicates}


def _given_up(given_up: GivenUp | None) -> Mapping[str, Any]:
    ending = given_up.ending if given_up else None
    status = given_up.status if given_up and given_up.ending is Ending.ENDED else None
    return {"outcome": ending, "status": status}


def _names(row: InFlightUpgrade) -> dict[str, Any]:
    return {"customer_id": row.customer_id, "product_family": row.product_family, "request_id": row.request_id}


def _line(row: InFlightUpgrade) -> str:
    return f"{row.customer_id} {row.product_family}: {row.request_id}"
