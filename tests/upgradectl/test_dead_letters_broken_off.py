"""`dead-letters resubmit` and `discard`, killed between their two steps and interrupted between two dead letters."""

import json
import signal
import subprocess
import sys

from azure.servicebus import ServiceBusMessage

from tests.upgradectl.dead_letters_support import Letters, valid_body
from tests.upgradectl.system import DEADLINE_S, wait_for
from upgradectl.errors import ExitCode

# Ends its process between the two steps that must not be torn apart, as a machine may.
CUT_OFF = """
import os, signal
from upgradectl.dead_letter_queue import DeadLetterQueue
DeadLetterQueue.complete = lambda self, letter: os.kill(os.getpid(), signal.SIGKILL)
from upgradectl.app import app
app()
"""


def cut_off(letters: Letters, *arguments: str) -> int:
    command = [sys.executable, "-c", CUT_OFF, "dead-letters", *arguments]
    system = letters.system
    return subprocess.run(command, env=system.shell(), cwd=system.folder, timeout=50, check=False).returncode


def test_one_killed_between_sending_and_removing_sends_the_same_request_again(letters: Letters) -> None:
    letters.add(ServiceBusMessage(valid_body(), message_id="m-1"))
    assert cut_off(letters, "resubmit", "1") == -signal.SIGKILL
    assert list(letters.dead()) == [1]
    assert len(letters.sent()) == 1
    letters.system.broker("lose-locks")  # else it takes a minute
    assert letters.call("resubmit", "1").code == 0
    assert not letters.dead()
    assert [json.loads(message.body)["requestId"] for message in letters.sent()] == ["m-1", "m-1"]


def test_one_killed_between_writing_and_removing_writes_nothing_twice(letters: Letters) -> None:
    letters.add(b"nonsense")
    assert cut_off(letters, "discard", "1", "--yes") == -signal.SIGKILL
    assert list(letters.dead()) == [1]
    letters.system.broker("lose-locks")
    assert letters.call("discard", "1", "--yes").code == 0
    assert not letters.dead()
    (file,) = (letters.system.folder / "dead-letters").iterdir()
    assert file.read_bytes() == b"nonsense"


def test_ctrl_c_ends_it_between_two_dead_letters_and_gives_the_others_back(letters: Letters) -> None:
    count = 200
    letters.add(*(ServiceBusMessage(valid_body(), message_id=f"m-{n}") for n in range(count)))
    with letters.system.started("dead-letters", "resubmit", "--all-valid", "--json") as process:
        wait_for(lambda: bool(letters.sent()))
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == ExitCode.INTERRUPTED
    done = [one["number"] for one in json.loads(out)]
    assert 0 < len(done) < count
    sent = [json.loads(message.body)["requestId"] for message in letters.sent()]
    assert len(sent) == len(done)  # nothing half done
    assert sorted(letters.dead()) == sorted({*range(1, count + 1)} - {*done})
    with letters.held(1):
        pass
