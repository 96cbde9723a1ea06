"""What `watch` shows: a view that fits the terminal, a line for a log, and a document for machines."""

import io
import json
import re
from collections import Counter
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from rich.console import Console

from shared.models import GateReason, GateState, Position, Reason, State, Status
from tests.fakes import NOON
from tests.unit.rows import result
from tests.upgradectl.watching_support import EMPTY, MINUTE
from upgradectl import live_view
from upgradectl.live_view import LiveView
from upgradectl.overview import InFlight, TimeLeft
from upgradectl.queue_depth import QueueDepth
from upgradectl.watching import Snapshot


def snapshot(**changed: Any) -> Snapshot:
    """A busy system, with all that there may be to show."""
    waiting = [*((State.DEFERRED, reason) for reason in Reason), (State.IN_PROGRESS, None)]
    words = "The customer's subscription is not in a state\nthat allows an upgrade; \x1b[31mtry again later. " * 3
    failures = tuple(
        result(
            customer_id=f"2f3e9a10-5b1c-4d6e-8f70-a1b2c3d4e{number:03}",
            status=(Status.FAILED, Status.PARTIALLY_COMPLETED)[number % 2],
            error_code="900120",
            error_description=words,
        )
        for number in range(50)
    )
    given = Snapshot(
        at=NOON,
        watched_s=754,
        rows=InFlight(Counter(dict.fromkeys(waiting, 12_345)), overdue=2),
        results=dict.fromkeys(Status, 12_345),
        new=dict.fromkeys(Status, 1_234),
        failures=failures,
        queue=QueueDepth(QueueDepth.LIMIT, 3),
        gate=GateState(
            position=Position.CLOSED,
            reason=GateReason.THROTTLED,
            detail="429",
            changed_at=NOON - 3 * MINUTE,
            until_at=NOON + 2 * MINUTE,
        ),
        per_minute=104.4,
        left=TimeLeft(4567, at_least=True),
    )
    return replace(given, **changed)


def shown(given: Snapshot, width: int, height: int) -> list[str]:
    console = Console(width=width, height=height, file=io.StringIO(), record=True, force_terminal=True)
    console.print(LiveView(given, "the local cloud"))
    return [line.rstrip() for line in console.export_text().splitlines()]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 50)])
@pytest.mark.parametrize("trouble", ["", "Table Storage answers 503; see TABLES_URL; `upgradectl doctor`"])
def test_the_view_fits_the_terminal(width: int, height: int, trouble: str) -> None:
    lines = shown(snapshot(trouble=trouble), width, height)
    assert len(lines) < height
    text = "\n".join(lines)
    for status in Status:
        assert re.search(rf"^{status} +12,345 \+1,234( |$)", text, re.MULTILINE), status
    for reason in Reason:
        assert re.search(rf"{reason} +12,345$", text, re.MULTILINE), reason
    assert "PartiallyCompleted  900120 The customer's" in lines[-1]
    assert lines[-1].startswith("2f3e9a10-5b1c-4d6e-8f70-a1b2c3d4e049" if width == 80 else "12:00:00  2f3e9a10")
    assert "closed since 2026-03-01T11:57:00Z: throttled (429), until" in text
    assert "at least 1 h 16 min" in text
    assert "1,000 or more; dead letters: 3" in text
    assert "\x1b" not in text


def test_a_higher_terminal_shows_more_failures() -> None:
    assert len(shown(snapshot(), 80, 60)) == len(shown(snapshot(), 80, 30)) + 30
    assert "Last failures" not in shown(snapshot(), 80, 10)


def test_the_view_of_a_system_at_rest() -> None:
    nothing: dict[str, Any] = {"rows": InFlight({}), "results": {}, "new": {}, "failures": (), "queue": EMPTY}
    resting = snapshot(**nothing, gate=GateState(), is_final=True)
    text = "\n".join(shown(resting, 80, 24))
    assert re.search(r"Gate +open\n", text)
    assert re.search(r"On the queue +none\n", text)
    assert re.search(r"Time left +all is final$", text)
    assert "Last failures" not in text


def test_a_line_for_a_log() -> None:
    counts = Counter({(State.DEFERRED, Reason.GATE): 1200, (State.IN_PROGRESS, None): 3})
    given = snapshot(rows=InFlight(counts), new={Status.COMPLETED: 7}, gate=GateState(), queue=EMPTY)
    assert live_view.line(given) == (
        "2026-03-01T12:00:00Z  in flight 1,203 (Deferred 1,200, InProgress 3); results 86,415 (Completed +7);"
        " a minute 104; time left at least 1 h 16 min; queue none; gate open"
    )
    assert live_view.line(replace(given, trouble="no answer")) == "2026-03-01T12:00:00Z  the look failed: no answer"


def test_a_document_for_machines() -> None:
    found = json.loads(json.dumps(live_view.document(snapshot()), default=datetime.isoformat))
    assert found["inFlight"]["byState"]["Deferred"] == 6 * 12_345
    assert found["inFlight"]["byReason"]["gate"] == 12_345
    assert (found["newResults"]["Failed"], found["isFinal"]) == (1_234, False)
    assert found["timeLeft"] == {"seconds": 4567, "atLeast": True}
    assert found["queue"] == {"waiting": 1000, "deadLetters": 3, "unknown": None}
