"""What one process has learnt from the answers since the gate closed last: about the service, not about single rows."""

from shared.models import GateReason, GateState, InFlightUpgrade

# After these somebody has to find out first whether the trouble is over.
_TO_BE_PROVED = (GateReason.CREDENTIALS, GateReason.UNAVAILABLE)
_MOST = 2  # times as many as the others


class Evidence:
    """Noted by all threads that call; a set more or less in a race changes nothing that lasts."""

    UNKNOWN_OUTCOMES = 5  # of so many different rows in a row, with no answer in between, are an outage

    def __init__(self) -> None:
        self._unknown: set[str] = set()
        self._let_through: set[bool] = set()  # kinds of call that are let through: a create call (True), another one
        self._throttled_last = False
        self._beside = 0  # calls that were let through since the gate closed: they were under way then
        self._refused = 1  # and those that were throttled, with the one that closed it
        self.proved = False  # the service, or the sign-in, works again

    def forget(self) -> None:
        """The gate has closed, or the sign-in is another one."""
        self._unknown.clear()
        self._let_through.clear()
        self.proved = False

    def gate_closed(self) -> None:
        """From now on the answers are those of calls that were under way."""
        self.forget()
        self._beside, self._refused = 0, 1

    def note_answer(self, row: InFlightUpgrade, *, reason: GateReason | None = None) -> None:
        """The service answered. `reason`: what it answered, where it let nobody through."""
        self._unknown.clear()
        self._throttled_last = reason is GateReason.THROTTLED
        self._refused += self._throttled_last
        if reason is None:
            self._beside += 1
            self._let_through.add(row.upgrade_id is None)
            self.proved = True
        elif reason is GateReason.CREDENTIALS:
            # Who got through before says nothing: only who gets through from now on.
            self._let_through.discard(row.upgrade_id is None)

    def note_unknown(self, row: InFlightUpgrade) -> bool:
        """An unknown outcome. True: it is an outage."""
        self._unknown.add(row.key)
        return len(self._unknown) >= self.UNKNOWN_OUTCOMES

    def others_get_through(self, row: InFlightUpgrade) -> bool:
        """Whether calls of this row's kind were let through since the gate closed."""
        return (row.upgrade_id is None) in self._let_through

    def is_alone_throttled(self, row: InFlightUpgrade) -> bool:
        """Refused again and again while the call before it, another row's, was let through."""
        return row.setbacks >= 2 and bool(self._let_through) and not self._throttled_last

    @property
    def most_got_through(self) -> bool:
        """Of the calls under way when the gate closed: a limit that all calls count for would have stopped most."""
        return self._beside >= _MOST * self._refused

    def suffices_to_open(self, state: GateState) -> bool:
        return self.proved or state.reason not in _TO_BE_PROVED
