"""The API over HTTP: every call to it passes through `Api.answer`."""

import re
import time

from local.http import Request, Response, json_response
from local.partner_center.calls import Call, Kind
from local.partner_center.control import PREFIX, Control
from local.partner_center.service import PartnerCenter
from local.partner_center.wire import client_gone, send
from local.partner_center.world import World

_PATH = re.compile(
    r"/v1/productupgrades(?:/(?:(?P<eligibility>eligibility)|(?P<upgrade_id>[^/]+)/status))?", re.IGNORECASE
)


class Api:
    def __init__(self, world: World) -> None:
        self._control = Control(world)
        self._service: PartnerCenter = world.service

    def answer(self, request: Request) -> Response | None:
        if request.path.startswith(PREFIX):
            return self._control.answer(request)
        found = _PATH.fullmatch(request.path)
        if not found:
            return _refused(404, "The resource was not found.")
        if request.method != "POST":
            return _refused(405, "The method is not allowed.")
        headers = {name.lower(): value for name, value in request.headers.items()}
        upgrade_id = found["upgrade_id"]
        kind: Kind = "status" if upgrade_id else "eligibility" if found["eligibility"] else "create"
        return self._answer_call(Call(kind, request.body, headers, upgrade_id), request)

    def _answer_call(self, call: Call, request: Request) -> Response | None:
        arrival = self._service.arrive(call)
        time.sleep(arrival.wait_s)
        reply = self._service.act(arrival)
        time.sleep(reply.late_s)
        # Noted before it is sent: who has read an answer finds it in the ledger.
        self._service.end(arrival, reply, client_gone=client_gone(request.connection))
        return send(reply, request.connection)


def _refused(status: int, description: str) -> Response:
    return json_response(status, {"code": status, "description": description, "data": [], "source": "PartnerApi"})
