"""Rows that do not end by themselves, given up one after the other: each may have to wait for a lease."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from shared import errors
from shared.giving_up import Ending, GivenUp, give_up, is_outcome_unknown, is_overdue, lease_left_s
from shared.models import InFlightUpgrade
from shared.ports import Ports
from upgradectl import reach_checks
from upgradectl.connections import Connections
from upgradectl.diagnosis import State
from upgradectl.errors import CommandError
from upgradectl.phrases import gate
from upgradectl.reach_checks import ReachChecks

# What the next row would meet as well.
STOPPING = errors.NotSent | errors.Throttled | errors.Unauthorized | errors.AccessDenied


@dataclass
class Stuck:
    """Rows that may be given up. `wait_s`: at most, for their leases. `left`: how many rows are neither."""

    unknown: list[InFlightUpgrade] = field(default_factory=list)
    overdue: list[InFlightUpgrade] = field(default_factory=list)
    wait_s: float = 0.0
    left: int = 0

    @property
    def rows(self) -> list[InFlightUpgrade]:
        """Those that need no question first."""
        return [*self.overdue, *self.unknown]


def stuck(ports: Ports, rows: Iterable[InFlightUpgrade]) -> Stuck:
    found = Stuck()
    for row in rows:
        if is_outcome_unknown(row):
            found.unknown.append(row)
            found.wait_s += lease_left_s(ports, row)
        elif is_overdue(ports, row):
            found.overdue.append(row)
        else:
            found.left += 1
    return found


def give_up_all(
    ports: Ports, rows: Iterable[InFlightUpgrade], waits: Callable[[float], None]
) -> Iterator[tuple[InFlightUpgrade, GivenUp]]:
    """Each row and what became of it. May be broken off anywhere.

    `waits`: is told before a row how long it may have to be waited for, in seconds.

    Raises:
        CommandError: the other rows would meet the same.
        StoreUnavailable, HttpResponseError
    """
    for row in rows:
        waits(lease_left_s(ports, row) if is_outcome_unknown(row) else 0.0)
        given_up = give_up(ports, row)
        if given_up.ending is Ending.CHANGED:
            given_up = _give_up_again(ports, row, waits)
        yield row, given_up
        if given_up.trouble and isinstance(given_up.trouble, STOPPING):
            raise CommandError(words_of(ports, given_up.trouble), "run it again when that is over")


def check_clock(connections: Connections) -> None:
    """A lease ends by the clock of who has taken it, which must be about ours.

    Raises:
        CommandError: it is not.
    """
    checks = {check.name: check for check in ReachChecks(connections).checks()}
    checks[reach_checks.TABLES].examine()
    finding = checks["clock"].examine()
    if finding.state in (State.WARNING, State.FAILED):
        raise CommandError(f"nothing is given up by a wrong clock: {finding.detail}", "set it by a time server")


def words_of(ports: Ports, trouble: errors.CallFailed) -> str:
    """Why there is no answer."""
    if isinstance(trouble, errors.HeldBack):
        return f"nothing may be asked: the gate is {gate(ports.gate.look(fresh=True), ports.clock.now())}"
    shown = trouble.code or (str(trouble.http_status) if trouble.http_status else "") or trouble.description
    return f"eligibility was not answered: {type(trouble).__name__}{f' ({shown})' if shown else ''}"


def _give_up_again(ports: Ports, row: InFlightUpgrade, waits: Callable[[float], None]) -> GivenUp:
    """Once: somebody has changed the row since it was read."""
    fresh = ports.store.get_in_flight(row.customer_id, row.product_family)
    if fresh is None or fresh.request_id != row.request_id:
        return GivenUp(Ending.CHANGED)
    waits(lease_left_s(ports, fresh) if is_outcome_unknown(fresh) else 0.0)
    return give_up(ports, fresh)
