"""A client of a running fake Partner Center: requests and MSAL as they are, and the fake's control API."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import msal
import pytest
import requests

from local.component import Component, start
from local.tls import Tls

TENANT = "11111111-1111-1111-1111-111111111111"
CLIENT_ID = "22222222-2222-2222-2222-222222222222"
SCOPES = ["https://api.partnercenter.microsoft.com/user_impersonation"]
SWITCHED_OFF = {
    "api_latency_s": 0,
    "api_outage": None,
    "api_window": None,
    "token_outage": None,
    "token_error": None,
}


class Partner:
    """A client of one running fake."""

    def __init__(self, component: Component) -> None:
        self.facts = component.facts
        self.session = requests.Session()
        self.authorization = ""

    def control(self, method: str, path: str, content: object = None) -> Any:
        response = self.session.request(method, f"{self.facts['api_url']}/_fake/{path}", json=content, timeout=5)
        assert response.status_code == 200, response.text
        return response.json()

    def sign_in(self, *, mfa: bool = True) -> str:
        return str(self.control("POST", "sign-in", {"mfa": mfa})["refresh_token"])

    def application(self, credential: Any = None) -> Any:
        return msal.ConfidentialClientApplication(
            CLIENT_ID,
            client_credential=credential or self.facts["client_secret"],
            authority=f"{self.facts['authority_url']}/{TENANT}",
            instance_discovery=False,
        )

    def access_token(self, *, mfa: bool = True) -> str:
        """Of a new sign-in."""
        answer = self.application().acquire_token_by_refresh_token(self.sign_in(mfa=mfa), scopes=SCOPES)
        return str(answer["access_token"])

    def authorize(self) -> None:
        self.authorization = f"Bearer {self.access_token()}"

    def customer(self, scenario: object = None) -> str:
        customer_id = str(uuid4())
        if scenario is not None:
            self.control("PUT", "scenarios", {customer_id: scenario})
        return customer_id

    def post(
        self, path: str, customer_id: str, *, ms_request_id: str | None = None, **options: Any
    ) -> requests.Response:
        headers = {"Authorization": self.authorization, "MS-RequestId": ms_request_id or str(uuid4())}
        body = {"customerId": customer_id, "productFamily": "Azure"}
        options = {"timeout": 5, "allow_redirects": False} | options
        return self.session.post(f"{self.facts['api_url']}/v1/{path}", json=body, headers=headers, **options)

    def ledger(self, customer_id: str) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
        """The calls and the upgrades of a customer."""
        ledger = self.control("GET", "ledger")
        calls, upgrades = (
            [entry for entry in ledger[part] if entry["customerId"] == customer_id] for part in ("calls", "upgrades")
        )
        return calls, upgrades


def start_fake(tls: Tls, log: Path, *arguments: str) -> Component:
    identity = ("--tenant", TENANT, "--client-id", CLIENT_ID)
    return start("local.partner_center", "--tls", str(tls.folder), *identity, *arguments, log=log)


def running_fake(tls: Tls, folder: Path) -> Iterator[Component]:
    """For a fixture: a fake that must end without a word about what went wrong."""
    log = folder / "partner_center.log"
    component = start_fake(tls, log)
    yield component
    assert component.stop() == 0
    assert log.read_text() == ""


def signed_in(component: Component, tls: Tls) -> Iterator[Partner]:
    """For a fixture: a client with an access token, which turns off in the end what it switched on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(tls.ca))
        partner = Partner(component)
        partner.authorize()
        yield partner
        partner.control("PUT", "switches", SWITCHED_OFF)
        partner.session.close()
