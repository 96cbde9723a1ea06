"""How a system is examined: one check after the other, each bounded in time; what needs a failed one is not tried."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from shared.transport import total_deadline
from upgradectl.errors import explained

_GRACE_S = 1.0  # for what the deadline of the transport does not hold: names, a command of the credential's, AMQP


class State(StrEnum):
    """What became of a check. With a warning, what depends on it is tried."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    NOT_TRIED = "not tried"


@dataclass(frozen=True)
class Finding:
    """What a check found. `remedy`: what to do about it."""

    state: State
    detail: str
    remedy: str = ""

    @property
    def line(self) -> str:
        return "; ".join(part for part in (self.detail, self.remedy) if part)

    def document(self) -> dict[str, str]:
        return {"state": self.state, "detail": self.detail, "remedy": self.remedy}


@dataclass(frozen=True)
class Check:
    """`needs`: names of settings, and of checks that come before. `examine` may raise: then it failed."""

    name: str
    examine: Callable[[], Finding]
    needs: tuple[str, ...] = ()


def ok(detail: str) -> Finding:
    return Finding(State.OK, detail)


def warning(detail: str, remedy: str = "") -> Finding:
    return Finding(State.WARNING, detail, remedy)


def failed(detail: str, remedy: str = "") -> Finding:
    return Finding(State.FAILED, detail, remedy)


def examine(checks: Iterable[Check], given: Iterable[str], limit_s: float) -> Iterator[tuple[str, Finding]]:
    """`given`: the settings that are there."""
    present = set(given)
    for check in checks:
        lacking = next((name for name in check.needs if name not in present), None)
        finding = _bounded(check, limit_s) if lacking is None else Finding(State.NOT_TRIED, f"needs: {lacking}")
        if finding.state in (State.OK, State.WARNING):
            present.add(check.name)
        yield check.name, finding


def _bounded(check: Check, limit_s: float) -> Finding:
    findings: queue.SimpleQueue[Finding] = queue.SimpleQueue()

    def run() -> None:
        with total_deadline(limit_s):
            findings.put(_examined(check))

    threading.Thread(target=run, name=check.name, daemon=True).start()
    try:
        return findings.get(timeout=limit_s + _GRACE_S)
    except queue.Empty:
        return failed(f"no answer within {limit_s:g} s", "check the address and the network")


def _examined(check: Check) -> Finding:
    try:
        return check.examine()
    except Exception as error:  # noqa: BLE001  one check's trouble must not keep the others from being made
        trouble = explained(error)
        return failed(trouble.message, trouble.remedy)
