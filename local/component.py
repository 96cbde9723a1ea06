"""Starts one part of the local cloud as a process of its own, and lets that part say when it is ready.

A part prints one JSON line (its ports and whatever else its clients need) and then listens until SIGTERM, SIGINT or the
end of its standard input: a parent that dies takes its parts with it, on every operating system.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parent.parent


class StartError(RuntimeError):
    """A part ended, or stayed silent, before it was ready."""


@dataclass(frozen=True)
class Component:
    """A running part: what it said when it was ready (`facts`, parsed JSON), and its process."""

    name: str
    process: "subprocess.Popen[str]"
    facts: Mapping[str, Any]

    def stop(self, *, sig: signal.Signals = signal.SIGTERM, timeout_s: float = 15) -> int:
        """Sends the signal, waits for the end (after `timeout_s`: SIGKILL) and returns the exit code."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(sig)
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()
        return self.process.returncode

    @property
    def running(self) -> bool:
        return self.process.poll() is None


def start(
    module: str, *arguments: str, log: Path, env: Mapping[str, str] | None = None, timeout_s: float = 30
) -> Component:
    """Runs `python -m {module} {arguments}` from the repository's root and waits for its ready line.

    What it writes to standard error is appended to `log`. `env` is added to this process's environment.

    Raises:
        StartError: it ended, or said nothing for `timeout_s`.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=REPOSITORY,
            env={**os.environ, **(env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # Ctrl-C in a terminal reaches the parent only, which stops the parts in order
        )
    assert process.stdout
    readable, _, _ = select.select([process.stdout], [], [], timeout_s)
    line = process.stdout.readline() if readable else ""
    if not line:
        Component(module, process, {}).stop(sig=signal.SIGKILL)
        raise StartError(f"{module} did not start; see {log}:\n{log.read_text()[-2000:]}")
    return Component(module, process, json.loads(line))


def announce(**facts: object) -> None:
    """In a part: the ready line."""
    print(json.dumps(facts), flush=True)


def call_when_told_to_stop(stop: Callable[[], None]) -> None:
    """In a part: calls `stop` once, from a thread of its own, at SIGTERM, SIGINT or the end of standard input.

    To be called in the main thread (signals).
    """
    told = threading.Event()

    def wait() -> None:
        told.wait()
        stop()

    def watch_stdin() -> None:
        with contextlib.suppress(OSError, ValueError):
            while os.read(0, 4096):
                pass
        told.set()

    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, lambda *_: told.set())
    threading.Thread(target=wait, name="stop", daemon=True).start()
    threading.Thread(target=watch_stdin, name="stdin", daemon=True).start()
