"""The only place that reads the environment and puts the app together: on first use, inside an invocation."""

import functools
import logging
import os
import random
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from azure.core.credentials import TokenCredential
from azure.data.tables import TableClient
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient

from shared import transport
from shared.clock import SystemClock
from shared.credentials import Credentials
from shared.errors import InvalidRequest, InvalidSettings
from shared.events import emit
from shared.gate import Gate
from shared.key_vault import KeyVault
from shared.messages import Message, parse
from shared.partner_center import PartnerCenterClient
from shared.ports import Ports
from shared.settings import Settings
from shared.sign_in import SignIn
from shared.tick import Poller
from shared.upgrade_store import TableStore
from shared.upgrades import claim, submit_claimed

_building = threading.Lock()
# Few and quick ones: a longer delay is a due row's business.
_FEW_RETRIES: dict[str, Any] = {"retry_total": 3, "retry_backoff_factor": 0.2}


@dataclass(frozen=True)
class App:
    """Everything that one process needs, made once."""

    ports: Ports
    poller: Poller


def create_upgrade(message: Message, delivery_count: int, *, until: float) -> None:
    """Steps 1 to 4 for one message. `until`: time.monotonic, when the hold of the message ends.

    Raises:
        InvalidRequest: the message can never be accepted.
        UpgradeError: it may be, later.
    """
    ports = app().ports
    try:
        request = parse(message, ports.settings.product_families)
    except InvalidRequest as error:
        _log_invalid(error, message, delivery_count)
        raise
    with transport.total_deadline(until - ports.clock.monotonic()):
        lease = claim(ports, request)
    if lease:
        submit_claimed(ports, lease)


def poll_upgrades() -> None:
    """One tick. With invalid settings, which are logged, it does nothing."""
    try:
        poller = app().poller
    except InvalidSettings:
        return
    poller.tick()


def app() -> App:
    """The process's app. A build that fails is tried again by the next invocation.

    Raises:
        InvalidSettings: which is logged here, all problems in one line.
    """
    with _building:
        return _built()


@functools.cache
def _built() -> App:
    try:
        settings = Settings.from_env(os.environ)
    except InvalidSettings as error:
        emit(logging.ERROR, "settings.invalid", problems=list(error.problems))
        raise
    _quieten_libraries()
    return _build(settings, ca_file=os.environ.get("REQUESTS_CA_BUNDLE"))


def _build(settings: Settings, *, ca_file: str | None) -> App:
    """`ca_file`: a private certificate authority, as requests reads it from the environment."""
    connections = max(settings.max_parallel_calls, int(os.environ.get("PYTHON_THREADPOOL_THREAD_COUNT") or 1))
    session = transport.new_session(connections=connections, ca_file=ca_file)
    azure = transport.DeadlineTransport(session)
    identity = DefaultAzureCredential(transport=azure)
    clock = SystemClock()
    store = TableStore(_tables(settings, identity, azure), settings.azure_call_deadline_s)
    gate = Gate(store, clock, settings, random.random)
    vault = KeyVault(_vault(settings, identity, azure), settings.azure_call_deadline_s)
    tokens = Credentials(vault, SignIn(session, settings), clock, settings)
    partner_center = PartnerCenterClient(
        session=session,
        tokens=tokens,
        base_url=settings.partner_center_url,
        timeouts=transport.Timeouts(settings.connect_timeout_s, settings.read_timeout_s, settings.call_deadline_s),
        clock=clock,
        new_id=_new_id,
    )
    ports = Ports(
        store=store,
        partner_center=partner_center,
        gate=gate,
        clock=clock,
        settings=settings,
        random=random.random,
        new_id=_new_id,
    )
    return App(ports, Poller(ports, tokens))


def _tables(
    settings: Settings, identity: TokenCredential, azure: transport.DeadlineTransport
) -> Callable[[str], TableClient]:
    """Clients made one by one: those of a TableServiceClient wrap the transport, and sleep past its deadline."""

    def open_table(name: str) -> TableClient:
        return TableClient(settings.tables_url, name, credential=identity, transport=azure, **_FEW_RETRIES)

    return open_table


def _vault(settings: Settings, identity: TokenCredential, azure: transport.DeadlineTransport) -> SecretClient:
    return SecretClient(settings.key_vault_url, identity, transport=azure, **_FEW_RETRIES)


def _log_invalid(error: InvalidRequest, message: Message, delivery_count: int) -> None:
    """Loud once: the platform delivers it again at once, until it is a dead letter."""
    emit(
        logging.WARNING if delivery_count <= 1 else logging.DEBUG,
        "request.invalid",
        reason=error.reason,
        where=error.where,
        message_id=message.message_id,
        delivery_count=delivery_count,
    )


def _quieten_libraries() -> None:
    """They log URLs and, at lower levels, headers."""
    for name in ("azure", "urllib3", "msal"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _new_id() -> str:
    return str(uuid.uuid4())
