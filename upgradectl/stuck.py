"""Rows that do not end by themselves, given up one after the other: each may have to wait for a lease."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from shared import errors
from shared.giving_up import Ending, GivenUp, give_up, is_outcome_unknown, is_under_way, lease_left_s
from shared.models import InFlightUpgrade, Reason
from shared.models import State as RowState
from shared.polling import is_overdue
from shared.ports import Ports
from upgradectl import reach_checks
from upgradectl.connections import Connections
from upgradectl.diagnosis import State
from upgradectl.errors import CommandError
from upgradectl.phrases import gate
from upgradectl.reach_checks import ReachChecks

# What the next row would meet as well.
STOPPING = errors.NotSent | errors.Throttled
# It may be refused for one customer alone, or for all.
_DENIED = errors.Unauthorized | errors.AccessDenied
_DENIED_FOR_ALL = 2  # rows, and none was answered


@dataclass
class Stuck:
    """Rows that may be given up.

    `wait_s`: for their leases, which run out side by side. `under_way`: rows whose first create call is being made.
    `withdrawn`: how many have ended but for their result. `left`: how many others there are.
    """

    unknown: list[InFlightUpgrade] = field(default_factory=list)
    overdue: list[InFlightUpgrade] = field(default_factory=list)
    under_way: list[InFlightUpgrade] = field(default_factory=list)
    wait_s: float = 0.0
    withdrawn: int = 0
    left: int = 0

    @property
    def rows(self) -> list[InFlightUpgrade]:
        """Those that need no question first; those that were refused our access last, in case they alone are."""
        return [*self.overdue, *sorted(self.unknown, key=_was_denied)]


def stuck(ports: Ports, rows: Iterable[InFlightUpgrade]) -> Stuck:
    found = Stuck()
    for row in rows:
        if is_under_way(ports, row):
            found.under_way.append(row)
        elif is_outcome_unknown(row):
            found.unknown.append(row)
            found.wait_s = max(found.wait_s, lease_left_s(ports, row))
        elif is_overdue(ports, row):
            found.overdue.append(row)
        elif row.state is RowState.WITHDRAWN:
            found.withdrawn += 1
        else:
            found.left += 1
    return found


def _was_denied(row: InFlightUpgrade) -> bool:
    return row.denied_code is not None or row.last_reason is Reason.CREDENTIALS


@dataclass
class _Answers:
    """What eligibility has answered in this run."""

    denied: int = 0
    is_answered: bool = False

    def note(self, row: InFlightUpgrade, given_up: GivenUp) -> bool:
        """Whether the other rows would meet the same."""
        if isinstance(given_up.trouble, _DENIED):
            self.denied += 1
            return self.denied >= _DENIED_FOR_ALL and not self.is_answered
        is_settled = is_outcome_unknown(row) and given_up.ending in (Ending.ENDED, Ending.ADOPTED)
        self.is_answered |= is_settled or isinstance(given_up.trouble, errors.Refused)
        return isinstance(given_up.trouble, STOPPING)


def give_up_all(
    ports: Ports, rows: Iterable[InFlightUpgrade], waits: Callable[[float], None]
) -> Iterator[tuple[InFlightUpgrade, GivenUp]]:
    """Each row and what became of it. May be broken off anywhere.

    `waits`: is told before a row how long it may have to be waited for, in seconds.

    Raises:
        CommandError: the other rows would meet the same.
        StoreUnavailable, HttpResponseError
    """
    answers = _Answers()
    for row in rows:
        waits(lease_left_s(ports, row) if is_outcome_unknown(row) else 0.0)
        given_up = give_up(ports, row)
        if given_up.ending is Ending.CHANGED:
            given_up = _give_up_again(ports, row, waits)
        yield row, given_up
        if answers.note(row, given_up) and given_up.trouble:
            raise CommandError(words_of(ports, given_up.trouble), "run it again when that is over")


def check_clock(connections: Connections) -> None:
    """A lease ends by the clock of who has taken it, which must be about ours.

    Raises:
        CommandError: it is not, or nobody knows.
    """
    checks = {check.name: check for check in ReachChecks(connections).checks()}
    checks[reach_checks.TABLES].examine()
    finding = checks["clock"].examine()
    if finding.state is State.NOT_TRIED:
        remedy = "check TABLES_URL and the network: `upgradectl doctor`"
        raise CommandError(f"nothing is given up by an unknown clock: {finding.detail}", remedy)
    if finding.state is not State.OK:
        raise CommandError(f"nothing is given up by a wrong clock: {finding.detail}", "set it by a time server")


def words_of(ports: Ports, trouble: errors.CallFailed) -> str:
    """Why there is no answer."""
    if isinstance(trouble, errors.HeldBack):
        return f"nothing may be asked: the gate is {gate(ports.gate.look(fresh=True), ports.clock.now())}"
    shown = trouble.code or (str(trouble.http_status) if trouble.http_status else "") or trouble.description
    return f"eligibility was not answered: {type(trouble).__name__}{f' ({shown})' if shown else ''}"


def _give_up_again(ports: Ports, row: InFlightUpgrade, waits: Callable[[float], None]) -> GivenUp:
    """Once: somebody has changed the row since it was read, or has ended it."""
    fresh = ports.store.get_in_flight(row.customer_id, row.product_family)
    if fresh is None or fresh.request_id != row.request_id:
        ended = ports.store.get_result(row.customer_id, row.product_family, row.request_id)
        return GivenUp(Ending.ENDED, ended.status) if ended else GivenUp(Ending.CHANGED)
    waits(lease_left_s(ports, fresh) if is_outcome_unknown(fresh) else 0.0)
    return give_up(ports, fresh)
