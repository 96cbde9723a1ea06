"""How an upgrade ended: status words and the table of verdicts. Pure.

"Completed" is the only documented status word; the others are inferred from error texts and from usage elsewhere.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from shared.models import Status

_COMPLETED = {"completed", "complete", "succeeded", "success"}
_FAILED = {"failed", "failure", "fail", "cancelled", "canceled"}


def has_failed(line_item: Mapping[str, Any]) -> bool:
    """Whether a line item's own status says so."""
    return _word(line_item.get("status")) in _FAILED


def verdict(status: object, line_items: Sequence[Mapping[str, Any]]) -> Status | None:
    """None while the upgrade is not final; a word that nobody knows is not."""
    word = _word(status)
    failed = [has_failed(item) for item in line_items]
    if word in _COMPLETED:
        if failed and all(failed):
            return Status.FAILED
        return Status.PARTIALLY_COMPLETED if any(failed) else Status.COMPLETED
    if word in _FAILED:
        completed = any(_word(item.get("status")) in _COMPLETED for item in line_items)
        return Status.PARTIALLY_COMPLETED if completed else Status.FAILED
    return None


def _word(value: object) -> str:
    """A status without case and punctuation, compared whole: `NotCompleted` is not `Completed`."""
    return re.sub(r"[\W_]+", "", value).casefold() if isinstance(value, str) else ""
