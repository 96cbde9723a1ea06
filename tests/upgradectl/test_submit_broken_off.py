"""`submit`, killed, interrupted and cut off between its batches: a second run makes up for it."""

import signal
from pathlib import Path

import pytest

from tests.upgradectl.queue_support import Seen, waiting
from tests.upgradectl.submit_support import body, customers, interrupted, write
from tests.upgradectl.system import System
from upgradectl.errors import ExitCode
from upgradectl.submit import HARMLESS

pytestmark = pytest.mark.usefixtures("own_queue")


def as_sent(found: list[Seen]) -> list[tuple[str | None, bytes]]:
    return [(message.message_id, message.body) for message in found]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("sig", "code", "said"),
    [
        (signal.SIGKILL, -signal.SIGKILL, ""),
        (signal.SIGINT, ExitCode.INTERRUPTED, f"interrupted: 4 of 9 were surely sent; {HARMLESS}\n"),
    ],
    ids=["kill", "ctrl-c"],
)
def test_killed_in_the_middle_and_run_again_every_request_is_there(
    sig: signal.Signals, code: int, said: str, when: str, system: System, tmp_path: Path
) -> None:
    lines = [body(customer) for customer in customers(9)]
    path = write(system.folder / "wave-1.jsonl", lines)
    action = f"os.kill(os.getpid(), {sig:d})"
    environment = interrupted(tmp_path, action, when=when, call=2, _MOST_IN_A_BATCH=4)
    ended = system.run("submit", path.name, **environment)
    assert (ended.code, ended.out, ended.notes) == (code, "", said)
    first = waiting(system)
    assert [message.body for message in first] == lines[: 4 if when == "before" else 8]
    assert system.call("submit", path.name).out == "Sent: 9 requests.\n"
    second = waiting(system)[len(first) :]
    assert [message.body for message in second] == lines
    assert as_sent(first) == as_sent(second[: len(first)])
    assert len({message.request.request_id for message in second}) == 9


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_connection_that_is_cut_is_made_again(when: str, system: System, tmp_path: Path) -> None:
    lines = [body(customer, requestId="x") for customer in customers(2100)]
    path = write(system.folder / "x.jsonl", lines)
    url = f"{system.parts['service_bus'].facts['control_url']}/_fake/cut"
    action = f"urllib.request.urlopen(urllib.request.Request({url!r}, method='POST')).read()"
    environment = interrupted(tmp_path, action, when=when, call=2, _WAITS_S=(0.1, 0.1, 0.1))
    ended = system.run("submit", path.name, **environment)
    assert (ended.code, ended.out, ended.notes) == (0, "Sent: 2,100 requests.\n", "")
    assert {message.body for message in waiting(system)} == set(lines)
