"""The app's own two functions in this process, through the platform's worker library, against the local parts."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from azure.data.tables import TableServiceClient
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient

from local.azurite import create_missing_tables
from local.cloud import CLIENT_ID, DELAYS, TENANT
from local.component import REPOSITORY, Component, start
from local.functions_host.delivery import Delivery
from local.functions_host.timer import timer_data
from local.functions_host.worker import InvocationResult, SyncWorker
from local.tls import Tls
from shared import wiring
from shared.settings import Settings
from shared.upgrade_store import CONTROL, TABLES, TableStore
from tests.contract.fake_partner_center import Partner

type Invoke = Callable[..., InvocationResult]


@pytest.fixture(scope="session")
def partner(tls: Tls, component_logs: Path) -> Iterator[Partner]:
    """The fake Partner Center, and its control API."""
    arguments = ("--tls", str(tls.folder), "--tenant", TENANT, "--client-id", CLIENT_ID)
    component = start("local.partner_center", *arguments, log=component_logs / "functions_partner_center.log")
    fake = Partner(component)
    yield fake
    fake.session.close()
    assert component.stop() == 0


@pytest.fixture(scope="session")
def _deployed(cloud_environment: None, azurite: Component, key_vault: Component, partner: Partner) -> dict[str, str]:
    """What a deployment and a consent leave behind; the app settings that name it."""
    with closing(DefaultAzureCredential()) as credential:
        create_missing_tables(str(azurite.facts["url"]), TABLES, credential)
        with SecretClient(str(key_vault.facts["url"]), credential) as vault:
            vault.set_secret(Settings.client_secret_name, partner.facts["client_secret"])
            vault.set_secret(Settings.refresh_token_secret_name, partner.sign_in())
    return {
        "PARTNER_TENANT_ID": TENANT,
        "PARTNER_CLIENT_ID": CLIENT_ID,
        "KEY_VAULT_URL": str(key_vault.facts["url"]),
        "TABLES_URL": str(azurite.facts["url"]),
        "PARTNER_CENTER_URL": str(partner.facts["api_url"]),
        "AUTHORITY_URL": str(partner.facts["authority_url"]),
        "UPGRADE_QUEUE": "upgrades",
        **DELAYS,
    }


@pytest.fixture
def _open_gate(_deployed: dict[str, str]) -> None:
    """Table Storage is shared with other tests, which close the gate, or spoil its row."""
    with (
        closing(DefaultAzureCredential()) as credential,
        TableServiceClient(_deployed["TABLES_URL"], credential=credential) as tables,
    ):
        tables.get_table_client(CONTROL).delete_entity("gate", "partner-center")


@pytest.fixture
def app_settings(
    _deployed: dict[str, str], _open_gate: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[pytest.MonkeyPatch]:
    """The app's environment, as a patch to change it with; a new process as far as the app can tell."""
    for name, value in _deployed.items():
        monkeypatch.setenv(name, value)
    wiring._built.cache_clear()
    yield monkeypatch
    wiring._built.cache_clear()


@pytest.fixture(scope="session")
def _worker() -> Iterator[SyncWorker]:
    with SyncWorker(REPOSITORY) as worker:
        assert worker.load("CreateUpgrade") is None
        assert worker.load("PollUpgrade") is None
        yield worker


@pytest.fixture
def deliver(_worker: SyncWorker) -> Invoke:
    """One delivery of a message to CreateUpgrade."""

    def invoke(body: bytes, *, message_id: str = "m1", delivery_count: int = 1) -> InvocationResult:
        delivery = Delivery(
            body=body,
            message_id=message_id,
            delivery_count=delivery_count,
        )
        return _worker.invoke("CreateUpgrade", delivery.trigger_data())

    return invoke


@pytest.fixture
def tick(_worker: SyncWorker) -> Invoke:
    """One tick of PollUpgrade."""
    return lambda: _worker.invoke("PollUpgrade", timer_data(past_due=False))


@pytest.fixture
def store(_deployed: dict[str, str]) -> Iterator[TableStore]:
    with (
        closing(DefaultAzureCredential()) as credential,
        TableServiceClient(_deployed["TABLES_URL"], credential=credential) as tables,
    ):
        yield TableStore(tables.get_table_client, call_deadline_s=15)
