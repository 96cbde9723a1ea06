"""`watch`: with tables in memory and a clock moved by hand; and as a person's shell starts it, on a terminal too."""

import io
import json
import math
import os
import pty
import re
import select
import subprocess
import sys
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from rich.console import Console

from local.component import REPOSITORY
from shared.errors import StoreUnavailable
from shared.models import GateReason, GateState, Position, Reason, State, Status, UpgradeResult
from tests.fakes import FAMILY, NOON, FakeClock, InMemoryStore
from tests.unit.rows import in_flight, result
from tests.upgradectl.conftest import System
from tests.upgradectl.status_support import emptied
from upgradectl import live_view
from upgradectl.errors import CommandError, ExitCode
from upgradectl.live_view import LiveView
from upgradectl.overview import InFlight, TimeLeft
from upgradectl.queue_depth import QueueDepth
from upgradectl.store import AccessRefused
from upgradectl.watching import Snapshot, Watch

MINUTE = timedelta(minutes=1)
EMPTY = QueueDepth(0, 0)


class Tables(InMemoryStore):
    """`errors`: what the next looks meet. `asked`: since when results were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: deque[Exception | None] = deque()
        self.gate_errors: deque[Exception] = deque()
        self.asked: list[datetime | None] = []

    def get_gate(self) -> GateState:
        if self.gate_errors:
            raise self.gate_errors.popleft()
        return super().get_gate()

    def list_all_results(self, *, since: datetime | None = None, line_items: bool = True) -> list[UpgradeResult]:
        assert not line_items
        if self.errors and (error := self.errors.popleft()):
            raise error
        self.asked.append(since)
        return [one for one in self.results.values() if since is None or one.finished_at >= since]


@dataclass
class Scene:
    """A system, and a watch of it. `meanwhile`: what happens in each pause, while there is any."""

    clock: FakeClock = field(default_factory=FakeClock)
    tables: Tables = field(default_factory=Tables)
    queue: deque[QueueDepth | CommandError] = field(default_factory=deque)
    meanwhile: deque[Callable[[], object]] = field(default_factory=deque)
    watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self.watch = Watch(self.tables, self._look_at_queue, self.clock, timedelta(hours=72))

    def look(self, after_s: float = 5) -> Snapshot:
        self.clock.advance(after_s)
        return self.watch.look()

    def add(self, customer_id: str, status: Status, **changed: Any) -> None:
        given = {"customer_id": customer_id, "status": status, "finished_at": self.clock.now(), **changed}
        self.tables.insert_result(result(**given))

    def _look_at_queue(self) -> QueueDepth:
        found = self.queue.popleft() if self.queue else EMPTY
        if isinstance(found, CommandError):
            raise found
        return found


def watched(scene: Scene, *, every_s: float = 5, timeout_s: float = math.inf) -> list[Snapshot]:
    """What happens meanwhile comes with the pauses."""
    found = []
    for snapshot in scene.watch.snapshots(every_s=every_s, timeout_s=timeout_s):
        found.append(snapshot)
        if scene.meanwhile:
            scene.meanwhile.popleft()()
    return found


def test_it_ends_when_two_looks_in_a_row_find_nothing_left() -> None:
    scene = Scene()
    row = scene.tables.insert_in_flight(in_flight())
    scene.meanwhile.extend([lambda: None, lambda: scene.tables.delete_in_flight(row)])
    found = watched(scene)
    assert [snapshot.rows.total for snapshot in found] == [1, 1, 0, 0]
    assert [snapshot.is_final for snapshot in found] == [False, False, False, True]
    assert scene.clock.slept == [5, 5, 5]


def test_a_message_may_be_between_queue_and_table() -> None:
    scene = Scene()
    scene.meanwhile.extend([lambda: scene.tables.insert_in_flight(in_flight()), scene.tables.in_flight.clear])
    assert [snapshot.rows.total for snapshot in watched(scene)] == [0, 1, 0, 0]


def test_what_waits_on_the_queue_is_not_final() -> None:
    scene = Scene(queue=deque([QueueDepth(1, 0), QueueDepth(1, 0)]))
    assert [snapshot.queue.waiting for snapshot in watched(scene)] == [1, 1, 0, 0]


def test_who_may_not_receive_goes_by_the_tables() -> None:
    unknown = QueueDepth(unknown="needs Data Receiver")
    found = watched(Scene(queue=deque([unknown, unknown])))
    assert [snapshot.is_final for snapshot in found] == [False, True]
    assert "not known: needs Data Receiver; by the tables alone" in live_view.line(found[-1])


def test_results_are_counted_once_however_often_they_are_read() -> None:
    scene = Scene()
    scene.add("old", Status.FAILED)
    scene.look()
    scene.add("a", Status.COMPLETED)
    scene.add("b", Status.FAILED)
    for _ in range(3):
        found = scene.look()
    assert found.results == {Status.COMPLETED: 1, Status.FAILED: 2}
    assert found.new == {Status.COMPLETED: 1, Status.FAILED: 1}
    assert [one.customer_id for one in found.failures] == ["b"]


def test_later_looks_read_what_has_come_since_with_some_overlap() -> None:
    scene = Scene()
    scene.look()
    scene.add("a", Status.COMPLETED, finished_at=NOON + MINUTE)
    for _ in range(3):
        scene.look(after_s=600)
    assert scene.tables.asked == [None, None, NOON - 4 * MINUTE, NOON - 4 * MINUTE]


def test_a_result_of_tomorrow_does_not_hide_those_of_today() -> None:
    scene = Scene()
    scene.add("ahead", Status.COMPLETED, finished_at=NOON + timedelta(days=1))
    scene.look()
    scene.add("a", Status.COMPLETED)
    assert scene.look().new == {Status.COMPLETED: 1}


def test_a_result_that_turns_up_late_is_counted() -> None:
    scene = Scene()
    scene.add("a", Status.COMPLETED)
    scene.look()
    scene.add("late", Status.COMPLETED, finished_at=scene.clock.now() - 4 * MINUTE)
    assert scene.look().new == {Status.COMPLETED: 1}


@pytest.mark.parametrize("is_new", [True, False])
def test_a_duplicate_that_gives_way_to_a_verdict_counts_as_that(is_new: bool) -> None:
    scene = Scene()
    if is_new:
        scene.look()
    scene.add("a", Status.DUPLICATE, duplicate_of="r0")
    scene.look()
    (duplicate,) = scene.tables.results.values()
    scene.tables.update_result(replace(duplicate, status=Status.FAILED, finished_at=scene.clock.now()))
    found = scene.look()
    assert (found.results, found.new) == ({Status.FAILED: 1}, {Status.FAILED: 1})
    assert len(found.failures) == 1


@pytest.mark.parametrize("status", Status)
def test_what_ended_otherwise_than_it_should_is_a_failure(status: Status) -> None:
    scene = Scene()
    scene.look()
    scene.add("a", status)
    expected = status not in (Status.COMPLETED, Status.DUPLICATE, Status.CANCELLED)
    found = scene.look()
    assert (found.failed, len(found.failures)) == (expected, expected)


def test_the_last_failures_are_those_that_ended_last() -> None:
    scene = Scene()
    scene.look()
    for number in range(60):
        scene.add(f"c{59 - number:02}", Status.FAILED, finished_at=NOON + number * timedelta(seconds=1))
    found = scene.look(after_s=60)
    assert [one.customer_id for one in found.failures] == [f"c{number:02}" for number in range(49, -1, -1)]
    assert found.failed == 60


def test_throughput_and_time_left() -> None:
    scene = Scene(queue=deque([QueueDepth(50, 0)] * 2))
    for number in range(40):
        scene.tables.insert_in_flight(in_flight(customer_id=f"c{number}", state=State.IN_PROGRESS))
    assert (scene.look().per_minute, scene.look().left) == (None, None)
    scene = Scene(queue=deque([QueueDepth(50, 0)] * 2), tables=scene.tables)
    scene.look()
    for number in range(15):
        scene.add(f"d{number}", Status.COMPLETED)
    found = scene.look(after_s=30)
    assert (found.per_minute, found.left) == (30, TimeLeft(180, at_least=False))


def test_nothing_is_final_before_the_last_row_is_looked_at_again() -> None:
    scene = Scene()
    scene.tables.insert_in_flight(in_flight(next_attempt_at=NOON + 10 * MINUTE))
    assert scene.look(after_s=60).left == TimeLeft(540, at_least=True)


def test_nothing_is_final_before_the_gate_may_open() -> None:
    scene = Scene()
    scene.tables.insert_in_flight(in_flight())
    scene.tables.gate = GateState(position=Position.CLOSED, until_at=NOON + 2 * MINUTE)
    assert scene.look(after_s=60).left == TimeLeft(60, at_least=True)
    scene.tables.gate = GateState(position=Position.PAUSED, until_at=NOON + 3 * MINUTE)
    assert scene.look(after_s=0).left is None


def test_where_more_may_wait_than_was_seen_the_time_left_is_a_lower_bound() -> None:
    depths: list[QueueDepth | CommandError] = [QueueDepth(QueueDepth.LIMIT, 0), QueueDepth(unknown="no role")]
    scene = Scene(queue=deque([EMPTY, *depths]))
    scene.tables.insert_in_flight(in_flight())
    scene.look()
    scene.add("a", Status.COMPLETED)
    for _ in depths:
        found = scene.look(after_s=30)
        assert found.left
        assert found.left.at_least


def test_a_look_that_fails_is_shown_and_the_watch_goes_on() -> None:
    scene = Scene()
    scene.tables.errors.extend([None, StoreUnavailable("Table Storage answers 503"), None])
    found = watched(scene)
    assert [bool(snapshot.trouble) for snapshot in found] == [False, True, False, False]
    assert found[1].trouble.startswith("Table Storage answers 503; ")
    assert [snapshot.is_final for snapshot in found] == [False, False, False, True]
    assert (found[1].at, found[1].watched_s) == (NOON + timedelta(seconds=5), 5)


def test_a_sign_in_that_fails_for_a_while_does_not_end_it() -> None:
    scene = Scene()
    scene.tables.errors.extend([None, ClientAuthenticationError("token"), None])
    found = watched(scene)
    assert [bool(snapshot.trouble) for snapshot in found] == [False, True, False, False]
    assert "az login" in found[1].trouble


def test_a_queue_that_does_not_answer_is_not_an_empty_one() -> None:
    scene = Scene(queue=deque([EMPTY, CommandError("no answer from Service Bus")]))
    assert [bool(snapshot.trouble) for snapshot in watched(scene)] == [False, True, False, False]


def test_results_that_a_look_has_read_before_it_failed_are_counted() -> None:
    scene = Scene()
    scene.look()
    scene.add("a", Status.FAILED)
    scene.tables.gate_errors.append(StoreUnavailable("out"))
    assert scene.look().trouble
    found = scene.look()
    assert (found.new, len(found.failures)) == ({Status.FAILED: 1}, 1)


def test_the_first_look_has_to_succeed() -> None:
    scene = Scene()
    scene.tables.errors.append(StoreUnavailable("Table Storage: ServiceRequestError"))
    with pytest.raises(StoreUnavailable):
        watched(scene)
    scene.tables.errors.append(ClientAuthenticationError("token"))
    with pytest.raises(ClientAuthenticationError):
        watched(scene)


def test_a_missing_role_ends_it_at_any_time() -> None:
    scene = Scene()
    scene.tables.insert_in_flight(in_flight())
    scene.tables.errors.extend([None, None, AccessRefused("Table Storage answers 403")])
    with pytest.raises(AccessRefused):
        watched(scene)


def test_it_gives_up_when_its_time_is_over() -> None:
    scene = Scene()
    scene.tables.insert_in_flight(in_flight())
    with pytest.raises(CommandError, match="not all is final yet") as caught:
        watched(scene, timeout_s=12)
    assert caught.value.code is ExitCode.FAILED
    assert scene.clock.slept == [5, 5, 2]


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


@pytest.fixture
def clean(system: System) -> System:
    """Nothing is in flight, and nothing waits."""
    emptied(system)
    return system


def add_row(system: System) -> str:
    customer_id = str(uuid.uuid4())
    with system.connect() as connections:
        connections.store.insert_in_flight(in_flight(customer_id=customer_id))
    return customer_id


def finish(system: System, customer_id: str, status: Status) -> None:
    with system.connect() as connections:
        row = connections.store.get_in_flight(customer_id, FAMILY)
        assert row
        now = connections.clock.now()
        connections.store.insert_result(result(customer_id=customer_id, status=status, finished_at=now))
        connections.store.delete_in_flight(row)


@dataclass
class Started:
    """A running `watch --json`, its standard output line by line."""

    child: subprocess.Popen[str]

    def look(self) -> dict[str, Any]:
        assert self.child.stdout
        line = self.child.stdout.readline()
        assert line, self.child.communicate()
        found: dict[str, Any] = json.loads(line)
        return found


@pytest.fixture
def started(clean: System) -> Iterator[Callable[..., Started]]:
    children: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **environment: str) -> Started:
        child = subprocess.Popen(
            [sys.executable, "-m", "upgradectl", "watch", *arguments],
            env={**_environment(clean), **environment},
            cwd=clean.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        return Started(child)

    yield start
    for child in children:
        child.kill()
        child.communicate()


def _environment(system: System) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), **system.environment, **system.settings}


@pytest.mark.parametrize(("status", "code"), [(Status.COMPLETED, 0), (Status.FAILED, 1)])
def test_it_looks_on_until_all_is_final(
    clean: System, started: Callable[..., Started], status: Status, code: int
) -> None:
    customer_id = add_row(clean)
    child = started("--json", "--every", "0.2")
    first = child.look()
    assert (first["inFlight"]["total"], first["queue"]["waiting"], first["isFinal"]) == (1, 0, False)
    finish(clean, customer_id, status)
    out, err = child.child.communicate(timeout=40)
    last = json.loads(out.splitlines()[-1])
    assert (last["isFinal"], last["newResults"][status], last["inFlight"]["total"]) == (True, 1, 0)
    assert child.child.returncode == code, err
    assert ("1 ended otherwise than Completed" in err) is bool(code)


def test_storage_that_is_out_for_a_moment(clean: System, started: Callable[..., Started]) -> None:
    customer_id = add_row(clean)
    child = started("--json", "--every", "0.2", AZURE_CALL_DEADLINE_S="1", SERVICE_BUS_NAMESPACE="")
    assert child.look()["trouble"] is None
    clean.rule("storage_front", {"name": "out", "do": "answer", "status": 503, "code": "ServerBusy"})
    looks = iter(child.look, None)
    assert "503" in next(look["trouble"] for look in looks if look["trouble"])
    clean.rule("storage_front")
    assert next(look["inFlight"]["total"] for look in looks if not look["trouble"]) == 1
    finish(clean, customer_id, Status.COMPLETED)
    child.child.communicate(timeout=40)
    assert child.child.returncode == 0


def test_a_role_that_is_missing(clean: System) -> None:
    rule = {"name": "no", "do": "answer", "status": 403, "code": "AuthorizationPermissionMismatch"}
    clean.rule("storage_front", rule)
    ended = clean.run("watch")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("error: Table Storage answers 403; grant yourself Storage Table Data Reader")


def test_without_the_queue_s_settings_and_with_little_time(clean: System) -> None:
    add_row(clean)
    ended = clean.run("watch", "--timeout", "0", SERVICE_BUS_NAMESPACE="")
    emptied(clean)
    assert ended.code == 3
    (line,) = ended.out.splitlines()
    assert "in flight 1 (Accepted 1); " in line
    assert "queue not known: SERVICE_BUS_NAMESPACE not set; by the tables alone" in line
    assert ended.err == "error: not all is final yet, and the time is over; `upgradectl status` says what waits\n"


def test_ctrl_c_leaves_the_terminal_as_it_was(clean: System) -> None:
    add_row(clean)
    child, screen = pty.fork()
    if child == 0:
        command = [sys.executable, "-m", "upgradectl", "watch", "--every", "60"]
        os.chdir(clean.folder)
        os.execve(sys.executable, command, {**_environment(clean), "TERM": "xterm"})
    try:
        before = _read(screen, until=b"Time left")
        os.write(screen, b"\x03")
        after = _read(screen)
    finally:
        os.close(screen)
        _, status = os.waitpid(child, 0)
    emptied(clean)
    assert os.waitstatus_to_exitcode(status) == ExitCode.INTERRUPTED
    assert b"\x1b[?25l" in before  # the cursor is hidden ...
    assert b"\x1b[?25h" in after  # ... and shown again
    assert b"Traceback" not in after


def _read(screen: int, until: bytes | None = None) -> bytes:
    """What is written there; to its end, or until it contains that."""
    found, deadline = b"", time.monotonic() + 30
    while time.monotonic() < deadline:
        if until and until in found:
            return found
        if select.select([screen], [], [], 0.05)[0]:
            try:
                found += os.read(screen, 65536)
            except OSError:  # the other side has ended
                return found
    raise AssertionError(found)
