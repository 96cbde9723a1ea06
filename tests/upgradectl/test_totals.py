"""The totals of a system, for people and as CSV."""

from datetime import timedelta
from typing import Any

import pytest

from shared.models import GateReason, GateState, Position, Reason, State, Status
from tests.fakes import NOON
from tests.unit.rows import in_flight
from upgradectl.output import Output
from upgradectl.overview import InFlight
from upgradectl.overview import in_flight as counted
from upgradectl.queue_depth import QueueDepth
from upgradectl.totals import Totals

HOUR = timedelta(hours=1)


def totals(**changed: Any) -> Totals:
    given: dict[str, Any] = {
        "at": NOON,
        "rows": counted(
            [
                in_flight(state=State.IN_PROGRESS, submitted_at=NOON - 80 * HOUR),
                in_flight(state=State.DEFERRED, last_reason=Reason.GATE, requested_at=NOON - 2 * HOUR),
                in_flight(state=State.DEFERRED, last_reason=Reason.THROTTLED),
            ],
            NOON,
            72 * HOUR,
        ),
        "results": {Status.FAILED: 5, Status.COMPLETED: 1200},
        "gate": GateState(
            position=Position.PAUSED, reason=GateReason.OPERATOR, detail="a wrong file\x1b[2J", changed_at=NOON - HOUR
        ),
        "queue": QueueDepth(3, QueueDepth.LIMIT),
        "deadline_h": 72,
    }
    return Totals(**(given | changed))


def test_totals_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    totals().show(Output())
    assert capsys.readouterr().out.splitlines() == [
        "IN FLIGHT   WHY IT WAITS  COUNT",
        "Deferred    throttled     1",
        "Deferred    gate          1",
        "InProgress  -             1",
        "all                       3",
        "",
        "RESULTS    COUNT",
        "Completed  1,200",
        "Failed         5",
        "all        1,205",
        "",
        "Overdue         1 upgrade in progress for more than 3 d",
        "Oldest waiting  2 h: 2f3e9a10-5b1c-4d6e-8f70-a1b2c3d4e5f6 Azure, gate",
        "Gate            paused since 2026-03-01T11:00:00Z: operator (a wrong file [2J)",
        "On the queue    3",
        "Dead letters    1,000 or more",
    ]


def test_totals_of_a_system_that_nobody_has_used(capsys: pytest.CaptureFixture[str]) -> None:
    unused = totals(rows=InFlight({}), results={}, gate=GateState(), queue=QueueDepth(unknown="needs Data Receiver"))
    unused.show(Output())
    assert capsys.readouterr().out.splitlines() == [
        "IN FLIGHT  WHY IT WAITS  COUNT",
        "all                      0",
        "",
        "RESULTS  COUNT",
        "all      0",
        "",
        "Overdue         none",
        "Oldest waiting  none",
        "Gate            open",
        "On the queue    not known: needs Data Receiver",
        "Dead letters    not known: needs Data Receiver",
    ]
    assert unused.document()["oldestWaiting"] is None


def test_totals_as_csv() -> None:
    found = list(totals().records())
    assert ("inFlight", State.DEFERRED, Reason.GATE, 1) in found
    assert ("inFlight", State.IN_PROGRESS, "", 1) in found
    assert ("overdue", State.IN_PROGRESS, "", 1) in found
    assert ("results", Status.COMPLETED, "", 1200) in found
    assert ("results", Status.TIMED_OUT, "", 0) in found


@pytest.mark.parametrize(
    ("position", "until", "words"),
    [
        (Position.CLOSED, NOON + 90 * HOUR / 3600, ", until 2026-03-01T12:01:30Z (in 1 min 30 s)"),
        (Position.CLOSED, NOON - HOUR / 3600, ", until 2026-03-01T11:59:59Z (1 s ago)"),
        (Position.RECOVERING, NOON + HOUR, ", until 2026-03-01T13:00:00Z (in 1 h)"),
        (Position.RECOVERING, NOON - HOUR, ""),
    ],
)
def test_until_when_the_gate_keeps_calls_back(
    capsys: pytest.CaptureFixture[str], position: Position, until: Any, words: str
) -> None:
    totals(gate=GateState(position=position, reason=GateReason.THROTTLED, until_at=until)).show(Output())
    assert f"Gate            {position}: throttled{words}\n" in capsys.readouterr().out
