"""What the tests of the functions host look through: a host and its lines, a queue, a broker, a copy of the app."""

import json
import shutil
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusSubQueue

from local.component import Component, start

SAMPLE_APP = Path(__file__).parent / "sample_app"
DEADLINE_S = 10

QUEUES = {
    "work": {"lock_s": 30, "max_delivery_count": 3},
    "short-lock": {"lock_s": 0.5, "max_delivery_count": 10},
}


@dataclass
class Host:
    """A running host and the log lines it has written so far."""

    component: Component
    lines: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def messages(self, category: str = "") -> list[str]:
        return [line["Message"] for line in list(self.lines) if category in line["Properties"]["Category"]]

    def user_lines(self) -> list[tuple[str, str]]:
        """What the functions logged, each line with its invocation's id."""
        rows = [(line["Message"], line["Properties"]) for line in list(self.lines)]
        return [(message, found["InvocationId"]) for message, found in rows if found["Category"].endswith(".User")]

    def count(self, beginning: str) -> int:
        return sum(message.startswith(beginning) for message in self.messages())

    def stop(self) -> int:
        """Drains it; its exit code."""
        self.component.process.send_signal(signal.SIGTERM)
        return self._end()

    def kill(self) -> None:
        self.component.process.kill()
        self._end()

    def _end(self) -> int:
        """When it has ended and every line that it wrote is in `lines`."""
        code = self.component.process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        self.component.stop()
        return code

    def _read(self) -> None:
        assert self.component.process.stdout
        for line in self.component.process.stdout:
            self.lines.append(json.loads(line))


class Queue:
    """A queue seen from outside. Its links stay open: the SDK takes half a second to open one, and to close it."""

    def __init__(self, name: str, connection_string: str) -> None:
        self.name = name
        self._client = ServiceBusClient.from_connection_string(connection_string)
        self._sender = self._client.get_queue_sender(name)
        self._receiver = self._client.get_queue_receiver(name)
        self._dead_letters = self._client.get_queue_receiver(name, sub_queue=ServiceBusSubQueue.DEAD_LETTER)

    def send(self, *bodies: str, **properties: Any) -> None:
        self._sender.send_messages([ServiceBusMessage(body, **properties) for body in bodies])

    def waiting(self) -> list[str]:
        """The bodies of its messages, locked ones too."""
        return [str(message) for message in self._receiver.peek_messages(max_message_count=20)]

    def dead_letters(self) -> list[str]:
        return [str(message) for message in self._dead_letters.peek_messages(max_message_count=20)]

    def take(self) -> list[tuple[str, int]]:
        """Empties it, and waits for locks that nobody holds any more: body and failed deliveries of each message."""
        taken: list[tuple[str, int]] = []
        while self.waiting():
            # One at a time, so that no credit is left on the link, which would swallow a message of the next test.
            (message,) = self._receiver.receive_messages(max_message_count=1, max_wait_time=DEADLINE_S)
            taken.append((str(message), message.delivery_count or 0))
            self._receiver.complete_message(message)
        return taken

    def close(self) -> None:
        links = (self._sender, self._receiver, self._dead_letters)
        with ThreadPoolExecutor(len(links)) as pool:
            list(pool.map(lambda link: link.close(), links))
        self._client.close()


def start_broker(logs: Path, *arguments: str) -> Component:
    queues = logs / "queues.json"
    queues.write_text(json.dumps(QUEUES))
    return start("local.service_bus", "--queues", str(queues), *arguments, log=logs / "broker.log")


def sample_app(folder: Path, **overrides: Any) -> Path:
    """A copy of the sample app; an override replaces the entry of host.json that has its name, at any depth."""
    app = folder / "app"
    shutil.copytree(SAMPLE_APP, app, ignore=shutil.ignore_patterns("__pycache__"))
    content = json.loads((app / "host.json").read_text())
    for part in (content, content["logging"], content["extensions"]):
        part.update({name: value for name, value in overrides.items() if name in part})
    (app / "host.json").write_text(json.dumps(content))
    return app


def most_at_once(host: Host) -> int:
    running = most = 0
    for message in host.messages("User"):
        running += 1 if message.startswith("begin") else -1
        most = max(most, running)
    return most


def wait_for(condition: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen"
        time.sleep(0.02)
