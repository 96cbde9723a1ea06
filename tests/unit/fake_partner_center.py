"""Drives the fake Partner Center without sockets, under a clock of its own."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from local.partner_center.calls import Call, Kind
from local.partner_center.replies import Reply
from local.partner_center.script import ScenarioDocument
from local.partner_center.world import open_world

TENANT = "11111111-1111-1111-1111-111111111111"
CLIENT_ID = "22222222-2222-2222-2222-222222222222"
CUSTOMER = "aaaaaaaa-0000-4000-8000-000000000001"
OTHER_CUSTOMER = "aaaaaaaa-0000-4000-8000-000000000002"
SECRET = "the secret of the app"
ENDPOINT = f"https://authority.test/{TENANT}/oauth2/v2.0/token"
SCOPE = "https://api.partnercenter.microsoft.com/user_impersonation offline_access openid profile"


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


class Driver:
    """One fake and one signed-in client of it; waits are not waited."""

    def __init__(self, *, state: Path | None = None, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.world = open_world(tenant=TENANT, client_id=CLIENT_ID, clock=self.clock, client_secret=SECRET, state=state)
        self.refresh_token = self.world.tokens.sign_in(mfa=True)
        self.authorization = self.exchange(self.refresh_token)

    def close(self) -> None:
        self.world.journal.close()

    def token(self, **changes: str | None) -> tuple[int, Mapping[str, Any]]:
        """A refresh-token request, with some of its fields changed (None: left out)."""
        form: dict[str, str | None] = {"grant_type": "refresh_token", "client_id": CLIENT_ID, "client_secret": SECRET}
        form |= {"scope": SCOPE, "refresh_token": self.refresh_token, **changes}
        sent = {name: value for name, value in form.items() if value is not None}
        reply = self.world.authority.exchange(TENANT, sent, endpoint=ENDPOINT)
        return reply.http, reply.document

    def exchange(self, refresh_token: str) -> str:
        """The Authorization header that this refresh token leads to."""
        http, document = self.token(refresh_token=refresh_token)
        assert http == 200
        return f"Bearer {document['access_token']}"

    def play(self, document: ScenarioDocument, customer: str = CUSTOMER) -> None:
        self.world.service.assign(customer, document)

    def call(self, kind: Kind, customer: str = CUSTOMER, upgrade_id: str | None = None, **headers: str) -> Call:
        """A call with a new MS-RequestId; header names are written with underscores."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        usual = {
            "authorization": self.authorization,
            "content-type": "application/json",
            "ms-requestid": str(uuid4()),
            "host": "api.test",
        }
        body = json.dumps({"customerId": customer, "productFamily": "Azure"}).encode()
        return Call(kind, body, usual | given, upgrade_id)

    def answer(self, call: Call) -> Reply:
        arrival = self.world.service.arrive(call)
        reply = self.world.service.act(arrival)
        self.world.service.end(arrival, reply, client_gone=False)
        return reply

    def create(self, customer: str = CUSTOMER, **headers: str) -> Reply:
        return self.answer(self.call("create", customer, **headers))

    def status(self, upgrade_id: str | None = None, customer: str = CUSTOMER, **headers: str) -> Reply:
        """A status call, of the customer's latest upgrade unless an id is given."""
        return self.answer(self.call("status", customer, upgrade_id or self.upgrades(customer)[-1]["id"], **headers))

    def eligibility(self, customer: str = CUSTOMER) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.answer(self.call("eligibility", customer)).body)
        return content

    def upgrades(self, customer: str = CUSTOMER) -> list[dict[str, Any]]:
        return [upgrade.truth() for upgrade in self.world.service.upgrades if upgrade.customer_id == customer]

    def calls(self) -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = self.world.service.ledger.since(0)["calls"]
        return calls


def upgrade_id_in(reply: Reply) -> str:
    prefix, _, upgrade_id = reply.headers["Location"].partition("/")
    assert prefix == "productUpgrades"
    return upgrade_id


def summary(reply: Reply) -> str:
    """The reply in short: `cut`, `202`, `403 900105`, `200 "Completed"`, `202 endless`."""
    if reply.cut:
        return "cut"
    words: list[object] = [reply.http]
    if reply.code is not None:
        words.append(reply.code)
    if reply.stream:
        words.append("drips" if reply.stream.interval_s else "endless")
    elif reply.http == 200 and reply.from_service:
        words.append(json.dumps(json.loads(reply.body)["status"]))
    return " ".join(map(str, words))
