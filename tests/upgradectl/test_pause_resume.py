"""`pause` and `resume`, through the real entry point."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from shared.models import GateReason, GateState, Position
from tests.upgradectl.conftest import System
from tests.upgradectl.operator_support import NOW, gate_of
from upgradectl.connections import Connections
from upgradectl.errors import ExitCode

CLOSED = GateState(
    position=Position.CLOSED,
    reason=GateReason.THROTTLED,
    detail="429",
    until_at=NOW + timedelta(hours=1),
    changed_at=NOW,
)


@pytest.fixture
def opened(system: System) -> Iterator[Connections]:
    with gate_of(system, GateState()) as connections:
        yield connections


@pytest.fixture
def closed(system: System) -> Iterator[Connections]:
    with gate_of(system, CLOSED) as connections:
        yield connections


def test_a_pause_and_its_end_are_said_and_stored(system: System, opened: Connections) -> None:
    paused = system.run("pause", "wrong file, ask [Ann]")
    assert (paused.code, paused.notes) == (0, "")
    assert paused.err.startswith("System: the environment (tables 127.0.0.1:")
    first, second, hint = paused.out.splitlines()
    assert first.startswith("The gate was open")
    assert second.startswith("The gate is paused since 2")
    assert second.endswith(": operator (wrong file, ask [Ann])")
    assert hint == "`upgradectl resume` lets the create calls go on."
    state = opened.store.get_gate()
    assert (state.position, state.reason, state.detail) == (Position.PAUSED, "operator", "wrong file, ask [Ann]")

    resumed = system.run("resume")
    assert resumed.code == 0
    assert resumed.err.startswith("System: the environment (tables 127.0.0.1:")
    assert resumed.out.splitlines()[0].startswith("The gate was paused since 2")
    assert resumed.out.splitlines()[1].startswith("The gate is recovering")
    assert opened.store.get_gate().position is Position.RECOVERING


def test_a_second_pause_changes_nothing_and_says_so(system: System, opened: Connections) -> None:
    opened.gate.pause("the first")
    before = opened.store.get_gate()
    again = system.run("pause", "the second")
    assert again.code == 0
    assert "The gate was" not in again.out
    assert "It was paused already, and stays so." in again.out
    assert opened.store.get_gate() == before


def test_a_pause_of_a_closed_gate_keeps_its_time(system: System, closed: Connections) -> None:
    ended = system.run("pause", "maintenance", "--json")
    assert ended.document["changed"] is True
    assert ended.document["before"]["position"] == "closed"
    assert ended.document["gate"]["position"] == "paused"
    assert ended.document["gate"]["until_at"] == ended.document["before"]["until_at"]


@pytest.mark.parametrize("which", ["opened", "closed"])
def test_a_gate_that_is_not_paused_is_not_resumed(which: str, system: System, request: pytest.FixtureRequest) -> None:
    connections: Connections = request.getfixturevalue(which)
    before = connections.store.get_gate()
    ended = system.run("resume")
    assert ended.code == 0
    assert "It was not paused: " in ended.out
    assert system.run("resume", "--json").document["changed"] is False
    assert connections.store.get_gate() == before


def test_a_missing_role_is_named(system: System, opened: Connections) -> None:
    system.rule("storage_front", {"name": "role", "do": "answer", "status": 403, "method": "PUT|POST|MERGE|PATCH"})
    ended = system.run("pause", "maintenance")
    system.rule("storage_front")
    assert ended.code == ExitCode.FAILED
    (line,) = ended.notes.splitlines()
    assert "Storage Table Data Contributor" in line
    assert opened.store.get_gate().position is Position.OPEN


@pytest.mark.parametrize("arguments", [["pause"], ["pause", " "], ["pause", "a", "b"], ["resume", "now"]])
def test_wrong_usage_ends_with_2(system: System, arguments: list[str]) -> None:
    assert system.run(*arguments).code == ExitCode.USAGE
