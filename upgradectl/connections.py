"""The clients of one system, each made when it is first asked for. All are bounded in time."""

import os
import random
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from types import TracebackType
from typing import Any, Self

import requests
from azure.data.tables import TableClient
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient

from shared import transport
from shared.clock import SystemClock
from shared.gate import Gate
from shared.partner_center import PartnerCenterClient
from shared.ports import Ports
from shared.settings import Settings
from shared.sign_in import SignIn
from upgradectl.service_bus import Queue
from upgradectl.store import OperatorStore
from upgradectl.target import Target
from upgradectl.tokens import OperatorTokens
from upgradectl.vault import OperatorVault

_FEW_RETRIES: dict[str, Any] = {"retry_total": 2, "retry_backoff_factor": 0.2}


class Connections:
    """To be used in a with statement. `settings`: of the target, as far as the command needs them."""

    def __init__(self, target: Target, settings: Settings) -> None:
        self.target = target
        self.settings = settings
        self.clock = SystemClock()
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @cached_property
    def session(self) -> requests.Session:
        session = transport.new_session(connections=4, ca_file=os.environ.get("REQUESTS_CA_BUNDLE"))
        return self._open.enter_context(session)

    @cached_property
    def credential(self) -> DefaultAzureCredential:
        """The operator's own: `az login`, `azd auth login`, or what the environment says."""
        credential = DefaultAzureCredential(transport=self._azure)
        self._open.callback(credential.close)
        return credential

    @cached_property
    def vault(self) -> OperatorVault:
        client = SecretClient(self.settings.key_vault_url, self.credential, transport=self._azure, **_FEW_RETRIES)
        return OperatorVault(client, self.settings.azure_call_deadline_s)

    @cached_property
    def store(self) -> OperatorStore:
        return OperatorStore(self.open_table, self.settings.azure_call_deadline_s)

    @cached_property
    def gate(self) -> Gate:
        return Gate(self.store, self.clock, self.settings, random.random)

    @cached_property
    def sign_in(self) -> SignIn:
        return SignIn(self.session, self.settings)

    @cached_property
    def partner_center(self) -> PartnerCenterClient:
        """Calls with the app's own sign-in, so it needs to read both secrets."""
        settings = self.settings
        return PartnerCenterClient(
            session=self.session,
            tokens=OperatorTokens(self.vault, self.sign_in, self.clock, settings),
            base_url=settings.partner_center_url,
            timeouts=transport.Timeouts(settings.connect_timeout_s, settings.read_timeout_s, settings.call_deadline_s),
            clock=self.clock,
            new_id=_new_id,
        )

    @cached_property
    def ports(self) -> Ports:
        """What the core's use cases work with, for a command that changes rows as the app would."""
        return Ports(
            store=self.store,
            partner_center=self.partner_center,
            gate=self.gate,
            clock=self.clock,
            settings=self.settings,
            random=random.random,
            new_id=_new_id,
        )

    @cached_property
    def queue(self) -> Queue:
        """Needs SERVICE_BUS_NAMESPACE and UPGRADE_QUEUE."""
        namespace, name = (self.target.values[key].strip() for key in ("SERVICE_BUS_NAMESPACE", "UPGRADE_QUEUE"))
        queue = Queue(namespace, name, self.credential, self.settings.azure_call_deadline_s)
        self._open.callback(queue.close)
        return queue

    @property
    def open_table(self) -> Callable[[str], TableClient]:
        url, credential, azure = self.settings.tables_url, self.credential, self._azure
        return lambda name: TableClient(url, name, credential=credential, transport=azure, **_FEW_RETRIES)

    @cached_property
    def _azure(self) -> transport.DeadlineTransport:
        return transport.DeadlineTransport(self.session)


def _new_id() -> str:
    return str(uuid.uuid4())
