"""The gate, the queue and what is left to be waited for, in an operator's words."""

from datetime import datetime

from rich.text import Text

from shared.models import GateState, Position, Status
from upgradectl.figures import duration
from upgradectl.overview import GOOD_ENDS, TimeLeft
from upgradectl.queue_depth import QueueDepth

_DETAIL = 60
_GATE_STYLES = {Position.OPEN: "green", Position.RECOVERING: "yellow"}


def instant(at: datetime) -> str:
    """`2026-11-22T08:30:00Z`."""
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def relative(at: datetime, now: datetime) -> str:
    """`in 3 min`, `2 min ago`."""
    apart_s = (at - now).total_seconds()
    return f"in {about(apart_s)}" if apart_s > 0 else f"{about(-apart_s)} ago"


def about(value_s: float) -> str:
    """A duration that is not known to a fraction of a second."""
    return f"{max(value_s, 0):.0f} s" if value_s < 10 else duration(value_s)


def short(text: str | None, length: int) -> str:
    """On one line, and nothing in it that a terminal would obey."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text or "").split())
    return line if len(line) <= length else f"{line[: max(length - 1, 0)]}…"


def status(of: Status) -> Text:
    return Text(of, "green" if of is Status.COMPLETED else "" if of in GOOD_ENDS else "red")


def gate(state: GateState, now: datetime) -> Text:
    """`closed since 2026-11-22T08:30:00Z: throttled (429), until 2026-11-22T08:31:00Z (in 40 s)`."""
    words = str(state.position)
    if state.changed_at:
        words += f" since {instant(state.changed_at)}"
    if state.position is not Position.OPEN:
        words += f": {state.reason}" if state.reason else ""
        words += f" ({short(state.detail, _DETAIL)})" if state.detail else ""
    if state.until_at and (state.until_at > now or state.position is Position.CLOSED):
        words += f", until {instant(state.until_at)} ({relative(state.until_at, now)})"
    return Text(words, _GATE_STYLES.get(state.position, "red"))


def count(value: int | None, unknown: str) -> str:
    """`none`, `12`, `1,000 or more`, `not known: needs Data Receiver`."""
    if value is None:
        return f"not known: {unknown}"
    return f"{value:,}{' or more' if value >= QueueDepth.LIMIT else ''}" if value else "none"


def time_left(left: TimeLeft | None) -> str:
    """`about 7 min`."""
    if left is None:
        return "not known yet"
    return f"{'at least' if left.at_least else 'about'} {about(left.seconds)}"
