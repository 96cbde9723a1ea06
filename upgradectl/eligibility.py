"""Asks Partner Center whether customers are eligible, as the app would: while the gate is open, and a 429 closes it.

Source: "Get eligibility for product upgrade" (Microsoft's Partner Center developer documentation).
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from azure.core.exceptions import HttpResponseError

from shared import errors
from shared.answers import Eligibility
from shared.models import GateState, InFlightUpgrade, Position, State, UpgradeRequest
from shared.ports import Ports
from shared.setbacks import code_of, throttle
from upgradectl.errors import CommandError, answered, explained, remedy_of_403

_OUTAGE = 5  # customers in a row without an answer


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is asked about. `customer_id` in lower case."""

    customer_id: str
    product_family: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What there is to know of a customer. `is_eligible`: None where the service did not say.

    `upgrade_id`: of an upgrade that is in place already.
    """

    subject: Subject
    is_eligible: bool | None
    upgrade_id: str | None = None
    reason: str = ""


def subject_of(request: UpgradeRequest) -> Subject:
    return Subject(request.customer_id, request.product_family)


class Checks:
    """One run. To be used by one thread; the calls are made in others."""

    def __init__(self, ports: Ports, parallel: int) -> None:
        self._ports = ports
        self._parallel = parallel
        self._running: dict[Future[Eligibility], Subject] = {}
        self._stop: CommandError | None = None
        self._has_answered = False
        self._unanswered = 0  # in a row

    def run(self, subjects: Iterable[Subject]) -> Iterator[Checked]:
        """As they are answered, in no order.

        Raises:
            CommandError: the others were not asked; calls that were under way have been waited for.
        """
        waiting = deque(subjects)
        with ThreadPoolExecutor(self._parallel, thread_name_prefix="check") as pool:
            while waiting or self._running:
                self._start(pool, waiting)
                done, _ = wait(self._running, return_when=FIRST_COMPLETED)
                for future in done:
                    subject = self._running.pop(future)
                    if checked := self._judged(subject, future):
                        yield checked
                if self._stop and not self._running:
                    raise self._stop

    def _start(self, pool: ThreadPoolExecutor, waiting: deque[Subject]) -> None:
        while waiting and not self._stop and len(self._running) < self._parallel:
            self._stop = _held_up(self._ports)
            if not self._stop:
                subject = waiting.popleft()
                self._running[pool.submit(_ask, self._ports, subject)] = subject

    def _judged(self, subject: Subject, future: Future[Eligibility]) -> Checked | None:
        try:
            eligibility = future.result()
        except errors.CallFailed as error:
            return self._failed(subject, error)
        except Exception as error:  # noqa: BLE001  of the sign-in: Key Vault's, Azure's; whatever it is, the next call meets it
            self._end(_of_the_vault(error))
            return None
        return self._answered(
            Checked(subject, eligibility.is_eligible, eligibility.upgrade_id, _line(eligibility.reason))
        )

    def _failed(self, subject: Subject, error: errors.CallFailed) -> Checked | None:
        match error:
            case errors.HeldBack():
                self._end(_held_up(self._ports, fresh=True) or CommandError("the gate was not open", "run it again"))
            case errors.Throttled():
                self._end(_close_gate(self._ports, subject, error))
            case errors.OutcomeUnknown():
                return self._unknown(subject, f"no answer ({_shown(error)})")
            # Somebody got through with this sign-in: it may be refused for this customer alone.
            case errors.AccessDenied() | errors.Unauthorized() if self._has_answered:
                return self._unknown(subject, f"access refused ({_shown(error)})")
            case errors.NotSent() | errors.AccessDenied() | errors.Unauthorized():
                self._end(explained(error))
            case errors.RefusedForGood() | errors.RefusedForNow(understood=True):
                return self._answered(Checked(subject, is_eligible=False, reason=_shown(error)))
            case _:
                return self._answered(Checked(subject, is_eligible=None, reason=f"refused ({_shown(error)})"))
        return None

    def _answered(self, checked: Checked) -> Checked:
        self._has_answered, self._unanswered = True, 0
        return checked

    def _unknown(self, subject: Subject, why: str) -> Checked:
        self._unanswered += 1
        if self._unanswered >= _OUTAGE:
            self._end(CommandError(f"{_OUTAGE} customers in a row: {why}", "run it again later"))
        return Checked(subject, is_eligible=None, reason=why)

    def _end(self, why: CommandError) -> None:
        self._stop = self._stop or why


def row_about(subject: Subject, now: datetime, correlation_id: str) -> InFlightUpgrade:
    """What the client asks a row for: whom a call is about, and the id that the vendor's support finds it by.

    It is no row of the table, and never becomes one.
    """
    return InFlightUpgrade(
        customer_id=subject.customer_id,
        product_family=subject.product_family,
        request_id="check",
        state=State.ACCEPTED,
        next_attempt_at=now,
        ms_request_id="",  # an eligibility call has one of its own
        correlation_id=correlation_id,
        outcome_unknown=False,
        requested_at=now,
        claimed_at=now,
    )


def _ask(ports: Ports, subject: Subject) -> Eligibility:
    row = row_about(subject, ports.clock.now(), ports.new_id())
    # `direct`: in an open gate only. While it recovers, PollUpgrade alone paces the calls.
    return ports.partner_center.get_eligibility(row, may_send=partial(ports.gate.may_send, create=False, direct=True))


def _held_up(ports: Ports, *, fresh: bool = False) -> CommandError | None:
    """Why nobody may be asked now."""
    try:
        state = ports.gate.look(fresh=fresh)
    except errors.StoreUnavailable as error:
        return explained(error)
    return None if state.position is Position.OPEN else _gate_error(state)


def _gate_error(state: GateState) -> CommandError:
    why = ": ".join(part for part in (state.reason, state.detail) if part)
    until = (
        f" until {state.until_at:%Y-%m-%dT%H:%M:%SZ}" if state.until_at and state.position is Position.CLOSED else ""
    )
    ends = "`upgradectl resume` ends it" if state.position is Position.PAUSED else "run it again when it is open"
    return CommandError(f"the gate is {state.position} ({why}){until}", ends)


def _close_gate(ports: Ports, subject: Subject, error: errors.Throttled) -> CommandError:
    """Limits count for the whole partner, so the app has to wait, too.

    `row_key`: whose answer closed it, whether or not that customer has a row. None would mean that the token exchange
    had failed, and send a recovering gate to prove the token first; after throttling neither is asked for
    (`Evidence.suffices_to_open`): the app calls less and less carefully until its backlog is gone.
    """
    if throttle(ports, row_about(subject, ports.clock.now(), "").key, error):
        return _held_up(ports) or CommandError("Partner Center throttles (429)", "run it again later")
    remedy = (
        "to close it takes Storage Table Data Contributor on the table UpgradeControl; `upgradectl pause` by another"
    )
    return CommandError("Partner Center throttles (429), and the gate could not be closed: the app calls on", remedy)


def _of_the_vault(error: Exception) -> CommandError:
    if isinstance(error, HttpResponseError) and error.status_code == 403:
        remedy = remedy_of_403(error, "Key Vault Secrets User", "both secrets")
        return CommandError(f"Key Vault {answered(error)}", remedy)
    return explained(error)


def _shown(error: errors.CallFailed) -> str:
    return " ".join(part for part in (code_of(error), _line(error.description)) if part) or type(error).__name__


def _line(text: str | None) -> str:
    """The service's words in one line, without what a terminal would obey."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text or "").split())
