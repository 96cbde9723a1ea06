"""Runs the broker: `python -m local.service_bus [--port N] [--control-port N] [--state DIR] --queues FILE`.

FILE is a JSON object of queues by name, with the settings of `QueueSettings` where they are not to be the defaults.
"""

import argparse
import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

from local import http
from local.amqp.server import Server
from local.component import announce, call_when_told_to_stop
from local.service_bus.control import Control
from local.service_bus.journal import Journal
from local.service_bus.namespace import Namespace
from local.service_bus.queue import QueueSettings


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.service_bus", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--control-port", type=int, default=0, help="default: a free one")
    parser.add_argument("--state", type=Path, help="directory that keeps the messages; default: none does")
    parser.add_argument("--queues", type=Path, required=True, help="JSON file")
    arguments = parser.parse_args()
    queues = {name: QueueSettings(**settings) for name, settings in json.loads(arguments.queues.read_text()).items()}
    with closing(Journal(arguments.state)) if arguments.state else nullcontext() as journal:
        asyncio.run(_serve(queues, journal, arguments))


async def _serve(queues: dict[str, QueueSettings], journal: Journal | None, ports: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()

    def stop() -> None:
        loop.call_soon_threadsafe(stopped.set)

    call_when_told_to_stop(stop)
    namespace = Namespace(queues, clock=time.time, call_later=loop.call_later, journal=journal)
    broker = Server(namespace)
    control = Control(loop, broker, namespace)
    async with broker.listening(ports.port) as port:
        with _serving(control, ports.control_port) as control_url:
            announce(port=port, connection_string=connection_string(port), control_url=control_url)
            await stopped.wait()


@contextmanager
def _serving(control: Control, port: int) -> Iterator[str]:
    """The control's URL."""
    with http.Server(control.answer, port=port) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), name="control", daemon=True).start()
        try:
            yield server.url
        finally:
            server.shutdown()


def connection_string(port: int) -> str:
    return (
        f"Endpoint=sb://localhost:{port};SharedAccessKeyName=local;SharedAccessKey=local;UseDevelopmentEmulator=true;"
    )


if __name__ == "__main__":
    main()
