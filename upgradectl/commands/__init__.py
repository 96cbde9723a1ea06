"""One module for each command: its options, and what it prints. What it does lies in the modules above."""

from collections.abc import Sequence

from upgradectl.figures import counted
from upgradectl.output import Output
from upgradectl.store import OperatorStore

_SHOWN_KEYS = 5
_SHOWN_LINES = 20


def note_unreadable(output: Output, store: OperatorStore) -> None:
    """The rows that somebody has spoilt by hand, after all were read."""
    if keys := sorted(store.unreadable):
        more = ", ..." if len(keys) > _SHOWN_KEYS else ""
        shown = ", ".join(keys[:_SHOWN_KEYS]) + more
        output.warn(f"left out, because it cannot be read: {counted(len(keys), 'row')} ({shown})")


def note_left_out(output: Output, problems: Sequence[str]) -> None:
    """`problems`: lines of a file that are no requests."""
    for problem in problems[:_SHOWN_LINES]:
        output.note(f"left out: {problem}")
    if len(problems) > _SHOWN_LINES:
        output.note(f"left out: {len(problems) - _SHOWN_LINES:,} more")
