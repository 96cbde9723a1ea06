"""The people around the system during a campaign: one who operates it, and one who is called when credentials fail."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

import requests
from azure.core.exceptions import AzureError
from azure.data.tables import TableClient
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient

from local.cloud import CLIENT_ID, TENANT, Cloud
from shared.clock import SystemClock
from shared.errors import StoreError, StoreUnavailable
from shared.gate import Gate
from shared.models import Position
from shared.ports import Ports
from shared.settings import Settings
from shared.upgrade_store import TableStore
from shared.upgrades import may_be_withdrawn, withdraw
from tests.chaos.record import Pause

PATIENCE_S = 60
_APART_S = 1.2  # the vault counts seconds: two versions of a person within one cannot be told apart


class Operator:
    """Pauses, resumes and withdraws, by the app's own use cases, through the same storage as the functions."""

    def __init__(self, store: TableStore, settings: Settings) -> None:
        self._store = store
        self._gate = Gate(store, SystemClock(), settings, random.random)
        self._settings = settings
        self._pausing = threading.Lock()
        self.pauses: list[Pause] = []
        self.withdrawn = 0

    def pause(self, lasts_s: float) -> None:
        """Pauses, lets some time pass, looks whether it is still paused, resumes."""
        with self._pausing:
            insist(lambda: self._gate.pause("campaign"))
            from_s = time.time()
            time.sleep(lasts_s)
            until_s = time.time()
            found = insist(lambda: self._gate.look(fresh=True)).position
            self.pauses.append(Pause(from_s, until_s, found))
            insist(self._gate.resume)

    def cancel(self, draw: float, *, within_s: float = 6) -> None:
        """Withdraws up to five requests that wait, as soon as there are any."""
        ends = time.monotonic() + within_s
        picker = Random(draw)
        while time.monotonic() < ends:
            rows = [row for row in insist(lambda: list(self._store.list_in_flight())) if may_be_withdrawn(row)]
            for row in picker.sample(rows, min(5, len(rows))):
                try:
                    self.withdrawn += withdraw(self._ports(), row)
                except StoreError:
                    continue  # the mark may be there: whoever finds it ends the row
            if rows:
                return
            time.sleep(0.2)

    def mend(self) -> None:
        """What `consent` does in the end: a closed gate need not wait."""
        insist(self._gate.mend)

    @property
    def position(self) -> Position:
        return insist(lambda: self._gate.look(fresh=True)).position

    def _ports(self) -> Ports:
        nobody: object = None  # a withdrawal makes no call
        return Ports(
            store=self._store, partner_center=nobody, gate=self._gate, clock=SystemClock(),  # type: ignore[arg-type]
            settings=self._settings, random=random.random, new_id=str,
        )  # fmt: skip


class Administrator:
    """Puts secrets into the vault: consents again, replaces the client secret."""

    def __init__(self, cloud: Cloud, vault: SecretClient, operator: Operator) -> None:
        self._cloud = cloud
        self._vault = vault
        self._operator = operator
        self._lock = threading.Lock()
        self._client_secrets = 0
        self.secrets: set[str] = set()
        self.consents = 0

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One person at a time, and no two versions within a second."""
        with self._lock:
            yield
            time.sleep(_APART_S)

    def consent(self, *, mfa: bool = True) -> None:
        token = insist(lambda: self._cloud.fake("POST", "sign-in", {"mfa": mfa}))["refresh_token"]
        self._put(Settings.refresh_token_secret_name, token)
        self.consents += 1

    def new_client_secret(self) -> Callable[[], None]:
        """The app registration accepts only a new secret from now on; the result puts that one into the vault."""
        self._client_secrets += 1
        secret = f"client-secret-{self._client_secrets}-{random.getrandbits(128):032x}"
        insist(lambda: self._cloud.fake("PUT", "client", {"secret": secret}))
        return lambda: self._put(Settings.client_secret_name, secret)

    def token_is_good(self) -> bool:
        """Whether the refresh token that is current in the vault gets an access token with MFA, today."""
        token = insist(lambda: self._vault.get_secret(Settings.refresh_token_secret_name)).value
        secret = insist(lambda: self._vault.get_secret(Settings.client_secret_name)).value
        form = {
            "grant_type": "refresh_token", "client_id": CLIENT_ID, "client_secret": secret or "",
            "refresh_token": token or "", "scope": "https://api.partnercenter.microsoft.com/user_impersonation",
        }  # fmt: skip
        settings = self._cloud.app_settings
        url = f"{settings['AUTHORITY_URL']}/{TENANT}/oauth2/v2.0/token"
        ca = settings["REQUESTS_CA_BUNDLE"]

        def ask() -> bool:
            answer = requests.post(url, data=form, timeout=10, verify=ca)
            if "error" in answer.text and answer.status_code in (400, 401):
                return False
            answer.raise_for_status()  # out: that says nothing about the token
            return bool(answer.json()["access_token"])

        return insist(ask)

    def all_secrets(self) -> frozenset[str]:
        """Every value that was ever in the vault."""
        versions = [
            self._vault.get_secret(properties.name or "", properties.version).value
            for name in (Settings.client_secret_name, Settings.refresh_token_secret_name)
            for properties in self._vault.list_properties_of_secret_versions(name)
        ]
        return frozenset(self.secrets | {value for value in versions if value})

    def _put(self, name: str, value: str) -> None:
        self.secrets.add(value)
        insist(lambda: self._vault.set_secret(name, value))
        self._operator.mend()


@contextmanager
def around(cloud: Cloud) -> Iterator[tuple[Operator, Administrator]]:
    """Both, inside `cloud.environment(cloud.client_environment)`."""
    credential = DefaultAzureCredential()
    settings = Settings.from_env(cloud.app_settings)

    def open_table(name: str) -> TableClient:
        return TableClient(cloud.front_url, name, credential=credential, retry_total=1)

    operator = Operator(TableStore(open_table, call_deadline_s=10), settings)
    vault = SecretClient(settings.key_vault_url, credential, retry_total=1)
    yield operator, Administrator(cloud, vault, operator)
    credential.close()


def insist[T](act: Callable[[], T], *, patience_s: float = PATIENCE_S) -> T:
    """A person tries again while something is out."""
    ends = time.monotonic() + patience_s
    while True:
        try:
            return act()
        except (AzureError, StoreUnavailable, requests.RequestException):
            if time.monotonic() > ends:
                raise
            time.sleep(0.3)
