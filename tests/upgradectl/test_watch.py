"""`watch`, as a shell or a terminal runs it; what it looks at lies in the tables and on a queue of the test's own."""

import json
import os
import pty
import select
import sys
import time
import uuid
from collections import deque
from collections.abc import Callable

import pytest

from shared.clock import SystemClock
from shared.models import Status
from tests.fakes import FAMILY
from tests.unit.rows import in_flight, result
from tests.upgradectl.operator_support import insert
from tests.upgradectl.status_support import nothing_in_flight
from tests.upgradectl.system import DEADLINE_S, System
from upgradectl.errors import ExitCode

NO_QUEUE = {"SERVICE_BUS_NAMESPACE": ""}


@pytest.fixture
def clean(system: System, own_queue: str) -> System:
    """Nothing is in flight, and nothing waits."""
    nothing_in_flight(system)
    return system


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> deque[Callable[[], object]]:
    """What happens in each pause of a `watch` in this process, instead of waiting."""
    actions = deque[Callable[[], object]]()
    monkeypatch.setattr(SystemClock, "sleep", lambda clock, duration_s: actions.popleft()() if actions else None)
    return actions


def add_row(system: System) -> str:
    customer_id = str(uuid.uuid4())
    insert(system, in_flight(customer_id=customer_id))
    return customer_id


def finish(system: System, customer_id: str, status: Status) -> None:
    with system.connect() as connections:
        row = connections.store.get_in_flight(customer_id, FAMILY)
        assert row
        now = connections.clock.now()
        connections.store.insert_result(result(customer_id=customer_id, status=status, finished_at=now))
        connections.store.delete_in_flight(row)


def test_it_looks_on_until_all_is_final(clean: System) -> None:
    customer_id = add_row(clean)
    with clean.started("watch", "--json", "--every", "0.1", **NO_QUEUE) as process:
        assert process.stdout
        first = json.loads(process.stdout.readline())
        assert (first["inFlight"]["total"], first["isFinal"]) == (1, False)
        finish(clean, customer_id, Status.FAILED)
        out, err = process.communicate(timeout=DEADLINE_S)
    last = json.loads(out.splitlines()[-1])
    assert (last["isFinal"], last["newResults"]["Failed"], last["inFlight"]["total"]) == (True, 1, 0)
    assert process.returncode == ExitCode.NOT_OK
    unknown, failed = err.splitlines()
    assert unknown == "whether messages wait on the queue is not known: SERVICE_BUS_NAMESPACE not set"
    assert failed.startswith("1 ended otherwise than Completed")


def test_storage_that_is_out_for_a_moment(clean: System, meanwhile: deque[Callable[[], object]]) -> None:
    customer_id = add_row(clean)
    rule = {"name": "out", "do": "answer", "status": 503, "code": "ServerBusy"}
    meanwhile.append(lambda: clean.rule("storage_front", rule))
    meanwhile.append(lambda: clean.rule("storage_front"))
    meanwhile.append(lambda: finish(clean, customer_id, Status.COMPLETED))
    ended = clean.call("watch", "--json", AZURE_CALL_DEADLINE_S="1", **NO_QUEUE)
    looks = [json.loads(line) for line in ended.out.splitlines()]
    assert [bool(look["trouble"]) for look in looks] == [False, True, False, False, False]
    assert "503" in looks[1]["trouble"]
    assert [look["inFlight"]["total"] for look in looks] == [1, 1, 1, 0, 0]
    assert [look["isFinal"] for look in looks] == [False] * 4 + [True]
    assert ended.code == 0
    assert "ended otherwise" not in ended.err


@pytest.mark.usefixtures("meanwhile")
def test_the_queue_is_looked_at_each_time(clean: System) -> None:
    ended = clean.call("watch", "--json")
    looks = [json.loads(line) for line in ended.out.splitlines()]
    assert [look["queue"] for look in looks] == [{"waiting": 0, "deadLetters": 0, "unknown": None}] * 2
    assert ([look["isFinal"] for look in looks], ended.code, ended.err) == ([False, True], 0, "")


def test_a_role_that_is_missing(clean: System) -> None:
    rule = {"name": "no", "do": "answer", "status": 403, "code": "AuthorizationPermissionMismatch"}
    clean.rule("storage_front", rule)
    ended = clean.call("watch", **NO_QUEUE)
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("error: Table Storage answers 403; grant yourself Storage Table Data Reader")


def test_without_the_queue_s_settings_and_with_little_time(clean: System) -> None:
    add_row(clean)
    ended = clean.call("watch", "--timeout", "0", **NO_QUEUE)
    nothing_in_flight(clean)
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
        os.execve(sys.executable, command, clean.shell(TERM="xterm", **NO_QUEUE))
    try:
        before = _read(screen, until=b"Time left")
        os.write(screen, b"\x03")
        after = _read(screen)
    finally:
        os.close(screen)
        _, status = os.waitpid(child, 0)
    nothing_in_flight(clean)
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
