"""An app that a person has signed in for: its secrets in the local vault, and what becomes of its calls for a token."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import requests
from azure.keyvault.secrets import SecretClient

from shared.credentials import Credentials, Secret, Vault
from shared.errors import TokenRefused, TokenUnavailable
from shared.key_vault import KeyVault
from shared.settings import Settings
from shared.sign_in import SignIn
from tests.contract.fake_partner_center import CLIENT_ID, TENANT, Partner
from tests.fakes import FakeClock, settings

DAY_S = 86_400
CALL_DEADLINE_S = 5


class ReplacingVault(KeyVault):
    """A person replaces secrets while the app works: before the n-th read of a secret."""

    replacements: dict[tuple[str, int], Callable[[], object]]

    def __init__(self, client: SecretClient, call_deadline_s: float) -> None:
        super().__init__(client, call_deadline_s)
        self.replacements = {}
        self.reads: list[str] = []

    def get_secret(self, name: str, version_id: str | None = None) -> Secret:
        self.reads.append(name)
        self.replacements.get((name, self.reads.count(name)), lambda: None)()
        return super().get_secret(name, version_id)


class SignedInApp:
    """Its two secrets, its clock, and what the token endpoint saw since it was made."""

    def __init__(self, partner: Partner, secrets: SecretClient, session: requests.Session) -> None:
        self.partner = partner
        self.secrets = secrets
        self.session = session
        self.clock = FakeClock(datetime.now(UTC))
        name = uuid4().hex
        self.settings = settings(
            partner_tenant_id=TENANT,
            partner_client_id=CLIENT_ID,
            authority_url=partner.facts["authority_url"],
            partner_center_url=partner.facts["api_url"],
            client_secret_name=f"client-{name}",
            refresh_token_secret_name=f"refresh-{name}",
            azure_call_deadline_s=CALL_DEADLINE_S,
        )
        self.put_client_secret()
        self.refresh_token = self.put_refresh_token()
        self.vault = ReplacingVault(secrets, CALL_DEADLINE_S)
        self._since = partner.control("GET", "ledger")["sequence"]

    def credentials(self, **changed: Any) -> Credentials:
        return self._credentials(replace(self.settings, **changed), self.vault)

    def over(self, vault: Vault) -> Credentials:
        """With another vault."""
        return self._credentials(self.settings, vault)

    def _credentials(self, given: Settings, vault: Vault) -> Credentials:
        return Credentials(vault, SignIn(self.session, given), self.clock, given)

    def switch(self, **switches: object) -> None:
        """The fake Partner Center's token endpoint."""
        self.partner.control("PUT", "switches", switches)

    def put_client_secret(self, value: str | None = None) -> None:
        """The one that counts, or another."""
        self.secrets.set_secret(self.settings.client_secret_name, value or self.partner.facts["client_secret"])

    def put_refresh_token(self, value: str | None = None) -> str:
        """A person consents; or puts what is none there."""
        value = value or self.partner.sign_in()
        self.secrets.set_secret(self.settings.refresh_token_secret_name, value)
        return value

    @property
    def stored(self) -> Any:
        """The current refresh token's secret."""
        return self.secrets.get_secret(self.settings.refresh_token_secret_name)

    @property
    def exchanges(self) -> list[str]:
        return [entry["outcome"] for entry in self.partner.control("GET", f"ledger?since={self._since}")["tokens"]]

    def api_status(self, token: str) -> int:
        """What the API says to it."""
        url = f"{self.partner.facts['api_url']}/v1/productUpgrades/eligibility"
        body = {"customerId": str(uuid4()), "productFamily": "Azure"}
        return requests.post(url, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=5).status_code


def refused(credentials: Credentials) -> TokenRefused:
    with pytest.raises(TokenRefused) as found:
        credentials.get_token()
    return found.value


def unavailable(credentials: Credentials) -> TokenUnavailable:
    with pytest.raises(TokenUnavailable) as found:
        credentials.get_token()
    return found.value
