"""What an operator has made of the gate."""

from dataclasses import dataclass
from datetime import datetime

from rich.text import Text

from shared.models import GateState
from upgradectl import phrases
from upgradectl.output import Output


@dataclass(frozen=True)
class Change:
    """The gate as it was found, and as it is now."""

    before: GateState
    after: GateState

    @property
    def is_one(self) -> bool:
        return self.before.etag != self.after.etag


def show(output: Output, change: Change, what: str, now: datetime) -> None:
    """`what`: in a sentence, what follows from it."""
    if output.as_json:
        output.json({"changed": change.is_one, "before": _document(change.before), "gate": _document(change.after)})
        return
    if change.is_one:
        output.line(_line("The gate was ", change.before, now))
    output.line(_line("The gate is ", change.after, now))
    output.line(what)


def _line(words: str, state: GateState, now: datetime) -> Text:
    return Text.assemble(words, phrases.gate(state, now))


def _document(state: GateState) -> dict[str, object]:
    return {
        "position": state.position,
        "reason": state.reason,
        "detail": state.detail,
        "until_at": state.until_at,
        "changed_at": state.changed_at,
    }
