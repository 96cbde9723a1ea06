"""The control API under `/_fake/`: how tests and the demo direct the fake, and read its ledger. JSON, no sign-in."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from local.http import Request, Response, json_response
from local.partner_center.world import World

PREFIX = "/_fake/"


class Control:
    def __init__(self, world: World) -> None:
        self._world = world
        self._routes: Mapping[tuple[str, str], Callable[[Request], Any]] = {
            ("PUT", "scenarios"): self._put_scenarios,
            ("POST", "sign-in"): self._sign_in,
            ("GET", "switches"): lambda _: asdict(world.board.switches),
            ("PUT", "switches"): self._put_switches,
            ("PUT", "client"): self._put_client,
            ("POST", "revoke-access-tokens"): lambda _: world.tokens.revoke_access_tokens(),
            ("POST", "revoke-refresh-tokens"): lambda _: world.tokens.revoke_refresh_tokens(),
            ("GET", "ledger"): self._ledger,
            ("GET", "counts"): lambda _: self._counts(),
        }

    def answer(self, request: Request) -> Response:
        route = self._routes.get((request.method, request.path.removeprefix(PREFIX)))
        if route is None:
            return json_response(404, {"error": f"no such control: {request.method} {request.path}"})
        try:
            return json_response(200, route(request))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return json_response(400, {"error": f"{type(error).__name__}: {error}"})

    def _put_scenarios(self, request: Request) -> Mapping[str, Any]:
        """`{customer id: name of a scenario, or a scenario}`; those up to one that is wrong are in force."""
        scenarios = json.loads(request.body)
        for customer_id, document in scenarios.items():
            self._world.service.assign(customer_id, document)
        return {"assigned": len(scenarios)}

    def _sign_in(self, request: Request) -> Mapping[str, Any]:
        """`{"mfa": true}`: what a person's consent leads to."""
        mfa = json.loads(request.body or b"{}").get("mfa", True)
        return {"refresh_token": self._world.tokens.sign_in(mfa=bool(mfa))}

    def _put_switches(self, request: Request) -> Mapping[str, Any]:
        """Some of the fields of `Switches`; the others stay."""
        return asdict(self._world.board.turn(json.loads(request.body)))

    def _put_client(self, request: Request) -> None:
        """`{"secret": "..."}` or `{"certificate": "PEM"}`: what the app registration accepts from now on."""
        self._world.client.register(**json.loads(request.body))

    def _ledger(self, request: Request) -> Mapping[str, Any]:
        """`?since=N`: calls and token requests that ended after number N; upgrades always all, as they are now."""
        with self._world.journal.lock:
            upgrades = [upgrade.truth() for upgrade in self._world.service.upgrades]
            return {"upgrades": upgrades, **self._world.service.ledger.since(int(request.query.get("since", "0")))}

    def _counts(self) -> Mapping[str, Any]:
        """The ledger's last number, and how many upgrades are in each state: for who looks often."""
        with self._world.journal.lock:
            states = Counter(upgrade.state for upgrade in self._world.service.upgrades)
            return {"sequence": self._world.service.ledger.last, "upgrades": states}
