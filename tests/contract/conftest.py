"""What several contract tests share."""

import itertools
import logging
from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import pytest
import requests
from azure.data.tables import TableServiceClient
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient

from local.azurite import create_missing_tables
from local.component import Component
from local.tls import Tls
from shared import transport, wiring
from shared.upgrade_store import CONTROL, IN_FLIGHT, TABLES, TableStore
from tests.contract.caller import Caller
from tests.contract.fake_partner_center import Partner, running_fake, signed_in
from tests.contract.signed_in_app import SignedInApp
from tests.contract.upgrade_stores import Store, table_service
from tests.contract.use_cases import UseCases
from tests.fakes import InMemoryStore


@pytest.fixture(scope="session")
def credential(cloud_environment: None) -> Iterator[DefaultAzureCredential]:
    """What the app itself uses, unmodified; it finds the local identity by its environment."""
    with closing(DefaultAzureCredential()) as credential:
        yield credential


@pytest.fixture(scope="module")
def component(tls: Tls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Component]:
    """A fake Partner Center of the module's own."""
    yield from running_fake(tls, tmp_path_factory.mktemp("partner_center"))


@pytest.fixture(scope="module")
def partner(component: Component, tls: Tls) -> Iterator[Partner]:
    yield from signed_in(component, tls)


@pytest.fixture(scope="module")
def session(tls: Tls) -> Iterator[requests.Session]:
    """Of the app's own kind, for all that it calls."""
    with closing(transport.new_session(connections=16, ca_file=str(tls.ca))) as session:
        yield session


@pytest.fixture(scope="module")
def secrets(key_vault: Component, credential: DefaultAzureCredential, session: requests.Session) -> SecretClient:
    return SecretClient(key_vault.facts["url"], credential, transport=transport.DeadlineTransport(session))


@pytest.fixture
def as_wired(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Everything is logged but for what the wiring quietens."""
    loggers = [logging.getLogger(name) for name in ("azure", "urllib3", "msal")]
    levels = [logger.level for logger in loggers]
    caplog.set_level(logging.DEBUG)
    wiring._quieten_libraries()
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture
def app(partner: Partner, secrets: SecretClient, session: requests.Session, as_wired: None) -> Iterator[SignedInApp]:
    app = SignedInApp(partner, secrets, session)
    yield app
    app.switch(token_outage=None, token_error=None, access_token_lifetime_s=3600)


@pytest.fixture
def caller(partner: Partner) -> Iterator[Caller]:
    """No connection is kept from test to test: what is cut on a kept one is sent once more."""
    with closing(transport.new_session(connections=4)) as session:
        yield Caller(partner, session)


@pytest.fixture
def system(partner: Partner, session: requests.Session, caplog: pytest.LogCaptureFixture) -> UseCases:
    """The use cases against that fake; a tick is over before a gate that has just closed may be tried again."""
    caplog.set_level(logging.INFO, "upgrades")
    return UseCases(partner, session, tick_budget_s=10)


@pytest.fixture(scope="module")
def tables(
    azurite: Component, credential: DefaultAzureCredential, session: requests.Session
) -> Iterator[TableServiceClient]:
    create_missing_tables(azurite.facts["url"], TABLES, credential)
    with table_service(azurite.facts["url"], credential, transport.DeadlineTransport(session)) as service:
        yield service


@pytest.fixture
def table_store(tables: TableServiceClient) -> TableStore:
    """Empty, but for results: they are of customers of other tests."""
    for name in (IN_FLIGHT, CONTROL):
        table = tables.get_table_client(name)
        keys = list(table.list_entities(select=["PartitionKey", "RowKey"]))
        for batch in itertools.batched(keys, 100, strict=False):
            table.submit_transaction([("delete", key) for key in batch])
    return TableStore(tables.get_table_client, 5)


@pytest.fixture(params=["in memory", "Table Storage"])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "in memory":
        return InMemoryStore()
    found: TableStore = request.getfixturevalue("table_store")
    return found


@pytest.fixture
def customer_id() -> str:
    return str(uuid4())
