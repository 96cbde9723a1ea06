"""An operator ends what does not end by itself: an outcome that stays unknown, an upgrade past its deadline.

What a create call has led to is settled by a question, which is worth something only where no such call can follow:

1. the row is taken by a conditional update: nobody starts a create call of it from now on;
2. a lease that somebody may have held until then is waited for: its holder does not look at the table before it sends.
   Our own hold on the row covers both, so whoever gives it up after us waits as long as we have to;
3. eligibility is asked: the upgrade that it names is adopted;
4. where it names none, or refuses for good, the row is marked `Withdrawn` by a second conditional update. That fails
   where somebody has taken the row in between (our own lease ran out: a machine was asleep), and nobody creates from a
   marked row;
5. then the result is written. Whoever dies between 4 and 5 leaves a row that ends as `Cancelled`.

What nobody can promise: a create call that was sent within its lease and takes effect long after it.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial

from shared.answers import CreatedUpgrade
from shared.errors import CallFailed, HeldBack, RefusedForGood, RowChanged, StoreError, StoreUnavailable, Throttled
from shared.models import InFlightUpgrade, Position, State, Status
from shared.outcomes import adopt
from shared.polling import is_overdue
from shared.ports import Ports
from shared.results import drop, finish
from shared.setbacks import code_of, throttle, write

GIVEN_UP = "given_up"
# How far the clock of an operator's machine may be from the app's: a lease ends by the clock of who has taken it.
SKEW_S = 60.0


class Ending(StrEnum):
    """What became of a row."""

    ENDED = "ended"  # it has a verdict
    ADOPTED = "adopted"  # an upgrade is there, and is followed from now on
    LEFT = "left"  # it is not stuck: its outcome is known, or about to be, and it is not past its deadline
    CHANGED = "changed"  # somebody else has the row now
    UNANSWERED = "unanswered"  # the question could not be asked, or was not answered: the row is as it was


@dataclass(frozen=True, slots=True)
class GivenUp:
    """`status`: the verdict. `trouble`: why there is no answer."""

    ending: Ending
    status: Status | None = None
    trouble: CallFailed | None = None


def is_outcome_unknown(row: InFlightUpgrade) -> bool:
    """Whether a create call may have gone through whose answer nobody has."""
    return row.upgrade_id is None and row.outcome_unknown and row.state is not State.WITHDRAWN


def is_under_way(ports: Ports, row: InFlightUpgrade) -> bool:
    """Whether the create call that follows the claim may be just being made: such a row is not stuck."""
    longest = timedelta(seconds=ports.settings.lease_s + SKEW_S)
    is_new = row.attempts == 0 and ports.clock.now() - row.claimed_at <= longest
    return is_new and is_outcome_unknown(row) and lease_left_s(ports, row) > 0


def lease_left_s(ports: Ports, row: InFlightUpgrade) -> float:
    """How long somebody may still be in the middle of the row's create call; never longer than a lease from now.

    An earlier `next_attempt_at` is that of a lease that has ended, a later one that of a delay. In between it may be an
    operator's, who waits for somebody's lease and has one of his own after it.
    """
    lease_s = ports.settings.lease_s
    left_s = (row.next_attempt_at - ports.clock.now()).total_seconds()
    return min(left_s + SKEW_S, lease_s) if -SKEW_S < left_s <= 2 * lease_s + SKEW_S else 0.0


def give_up(ports: Ports, row: InFlightUpgrade) -> GivenUp:
    """Ends the row if it is stuck, and sleeps for `lease_left_s` where it has to.

    Raises:
        StoreUnavailable: nobody knows how far it got; it may be asked for again, and the row ends by itself.
    """
    if is_outcome_unknown(row) and not is_under_way(ports, row):
        return _settle(ports, row)
    if is_overdue(ports, row):
        return _time_out(ports, row)
    return GivenUp(Ending.LEFT)


def _settle(ports: Ports, row: InFlightUpgrade) -> GivenUp:
    if not _may_ask(ports):
        return GivenUp(Ending.UNANSWERED, trouble=HeldBack())
    taken = _update(ports, replace(row, next_attempt_at=_lease_ends_at(ports, lease_left_s(ports, row))))
    if taken is None:
        return GivenUp(Ending.CHANGED)
    # No earlier than it was: until then somebody may be in the middle of the create call.
    as_it_was = replace(taken, next_attempt_at=row.next_attempt_at)
    try:
        ports.clock.sleep(lease_left_s(ports, row))
        return _ask(ports, taken)
    except CallFailed as trouble:
        if isinstance(trouble, Throttled):
            throttle(ports, row.key, trouble)
        write(ports, as_it_was)
        return GivenUp(Ending.UNANSWERED, trouble=trouble)
    except (Exception, KeyboardInterrupt):
        with suppress(StoreError):
            write(ports, as_it_was)
        raise


def _ask(ports: Ports, taken: InFlightUpgrade) -> GivenUp:
    own = ports.store.get_result(taken.customer_id, taken.product_family, taken.request_id)
    if own and own.is_verdict:
        drop(ports, taken)
        return GivenUp(Ending.ENDED, own.status)
    upgrade_id, said = _eligibility(ports, taken)
    if upgrade_id:
        is_adopted = adopt(ports, taken, CreatedUpgrade(upgrade_id, adopted=True))
        return GivenUp(Ending.ADOPTED if is_adopted else Ending.CHANGED)
    # The mark's own time keeps PollUpgrade away for as long as the result may take.
    due_at = _lease_ends_at(ports)
    marked = _update(ports, replace(taken, state=State.WITHDRAWN, outcome_unknown=False, next_attempt_at=due_at))
    if marked is None:
        return GivenUp(Ending.CHANGED)
    last = " ".join(part for part in (taken.last_code, taken.last_description) if part)
    return _finish(ports, marked, Status.FAILED, f"an operator gave it up; {said}; the last answer: {last or 'none'}")


def _eligibility(ports: Ports, row: InFlightUpgrade) -> tuple[str | None, str]:
    """The upgrade that it names, and in words what it says where it names none."""
    try:
        upgrade_id = ports.partner_center.get_eligibility(row, may_send=partial(_may_ask, ports)).upgrade_id
    except RefusedForGood as refusal:
        # No later question would be answered otherwise: without this, nobody could ever end the row.
        return None, f"eligibility refuses: {code_of(refusal)}"
    return upgrade_id, "eligibility names no upgrade"


def _may_ask(ports: Ports) -> bool:
    """Not while the gate recovers: then one process alone calls, at its own pace."""
    try:
        state = ports.gate.look()
    except StoreUnavailable:
        return False
    return state.position is not Position.RECOVERING and ports.gate.lets_through(state, create=False)


def _time_out(ports: Ports, row: InFlightUpgrade) -> GivenUp:
    taken = _update(ports, replace(row, next_attempt_at=_lease_ends_at(ports)))
    if taken is None:
        return GivenUp(Ending.CHANGED)
    description = f"an operator gave it up: in progress for more than {ports.settings.upgrade_deadline_h:g} hours"
    return _finish(ports, taken, Status.TIMED_OUT, description)


def _finish(ports: Ports, row: InFlightUpgrade, status: Status, description: str) -> GivenUp:
    """What the verdict is: another one may have been first."""
    finish(ports, row, status, error_code=GIVEN_UP, error_description=description)
    result = ports.store.get_result(row.customer_id, row.product_family, row.request_id)
    return GivenUp(Ending.ENDED, result.status if result else status)


def _update(ports: Ports, row: InFlightUpgrade) -> InFlightUpgrade | None:
    try:
        return ports.store.update_in_flight(row)
    except RowChanged:
        return None


def _lease_ends_at(ports: Ports, wait_s: float = 0.0) -> datetime:
    return ports.clock.now() + timedelta(seconds=ports.settings.lease_s + wait_s)
