"""What must be true of a Record, whatever has failed meanwhile. Pure; the code that it judges has no say in it.

1  result_invariant   one result per request, and the truth; all other bodies are dead letters
2  create_invariant   one upgrade per request; no new MS-RequestId while an outcome is unknown
3  gate_invariant     who calls while the gate is not open
4  log_invariant      nothing in the log that must not be there
5  end_invariant      nothing is left
6  memory_invariant   memory is bounded
"""

from tests.chaos import (
    create_invariant,
    end_invariant,
    gate_invariant,
    log_invariant,
    memory,
    result_invariant,
)
from tests.chaos.history import history
from tests.chaos.record import Record
from tests.chaos.violation import Violation

__all__ = ["Violation", "check", "history"]

_INVARIANTS = (result_invariant, create_invariant, gate_invariant, log_invariant, end_invariant, memory)


def check(record: Record) -> list[Violation]:
    """Everything that is wrong, by invariant."""
    return [violation for invariant in _INVARIANTS for violation in invariant.check(record)]
