"""The broker's control API under `/_fake/`: breaks connections, locks and roles, on demand. No sign-in."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from local.amqp.server import Server
from local.http import Request, Response, json_response
from local.service_bus.namespace import LISTEN, SEND, Namespace

TIMEOUT_S = 10  # of the loop that serves AMQP


class Control:
    """Answers in threads of its own; what it does to the broker is done in the broker's `loop`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, broker: Server, namespace: Namespace) -> None:
        self._loop = loop
        self._commands: Mapping[str, tuple[str, Callable[[], int]]] = {
            "/_fake/cut": ("connections", broker.cut),
            "/_fake/lose-locks": ("locks", namespace.lose_locks),
            "/_fake/withhold-listen": ("withheld", partial(namespace.withhold, LISTEN)),
            "/_fake/withhold-send": ("withheld", partial(namespace.withhold, SEND)),
            "/_fake/grant-all": ("withheld", namespace.grant_all),
        }

    def answer(self, request: Request) -> Response:
        command = self._commands.get(request.path)
        if request.method != "POST" or command is None:
            return json_response(404, {"error": f"no such control: {request.method} {request.path}"})
        what, act = command
        return json_response(200, {what: self._in_loop(act)})

    def _in_loop(self, act: Callable[[], int]) -> int:
        async def run() -> int:
            return act()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(TIMEOUT_S)
