"""The parts of a system for the operator's command line, and what tests of several modules begin with."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient

from local.azurite import create_missing_tables
from local.component import Component, start
from local.tls import Tls
from shared.upgrade_store import TABLES
from tests.upgradectl.dead_letters_support import Letters
from tests.upgradectl.operator_support import Customers, customers_of
from tests.upgradectl.system import CLIENT_ID, QUEUE, TENANT, Ran, System

__all__ = ["QUEUE", "Ran", "System"]  # where modules look for them

# A new one for each test that wants one, so that none finds what another has left.
OWN_QUEUES = tuple(f"{QUEUE}-{number}" for number in range(250))


@pytest.fixture(scope="session")
def broker_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("broker")


@pytest.fixture(scope="session")
def parts(
    tls: Tls, identity: Component, key_vault: Component, broker_state: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Component]]:
    """Tables and queues of these tests' own."""
    folder = tmp_path_factory.mktemp("upgradectl")
    (folder / "queues.json").write_text(json.dumps({name: {} for name in (QUEUE, *OWN_QUEUES)}))
    keys = ("--tls", str(tls.folder))
    arguments = {
        "service_bus": ("--queues", str(folder / "queues.json"), "--state", str(broker_state)),
        "partner_center": (*keys, "--tenant", TENANT, "--client-id", CLIENT_ID),
        "azurite": (*keys, "--in-memory"),
    }
    started = {name: start(f"local.{name}", *given, log=folder / f"{name}.log") for name, given in arguments.items()}
    target = ("--target", str(started["azurite"].facts["url"]))
    started["storage_front"] = start("local.storage_front", *keys, *target, log=folder / "storage_front.log")
    yield {**started, "identity": identity, "key_vault": key_vault}
    for part in reversed(started.values()):
        assert part.stop() == 0
    assert (folder / "service_bus.log").read_text() == ""


@pytest.fixture(scope="session")
def secrets(parts: Mapping[str, Component], cloud_environment: None) -> Iterator[SecretClient]:
    """What a deployment leaves behind: the tables. The secrets are each test's own."""
    with DefaultAzureCredential() as credential:
        create_missing_tables(str(parts["azurite"].facts["url"]), TABLES, credential)
        with SecretClient(str(parts["key_vault"].facts["url"]), credential) as client:
            yield client


@pytest.fixture
def system(
    parts: Mapping[str, Component],
    secrets: SecretClient,
    tls: Tls,
    identity: Component,
    broker_state: Path,
    tmp_path: Path,
) -> Iterator[System]:
    """A new one: consent is still to be given."""
    environment = {**tls.environment, **identity.facts["environment"], "NO_PROXY": "*"}
    system = System(parts, environment, secrets, tmp_path, broker_state / "journal.jsonl")
    yield system
    for part in ("identity", "key_vault", "storage_front"):
        system.rule(part)
    switched_off = {"token_error": None, "token_outage": None, "api_outage": None, "api_window": None}
    system.fake("PUT", "switches", switched_off)


@pytest.fixture
def consented(system: System) -> System:
    """One in which everything is as it should be."""
    system.put_client_secret()
    system.put_refresh_token()
    return system


@pytest.fixture(scope="session")
def own_queues() -> Iterator[str]:
    return iter(OWN_QUEUES)


@pytest.fixture
def own_queue(system: System, own_queues: Iterator[str]) -> str:
    """The system's is one that nobody has used yet."""
    system.queue = next(own_queues)
    return system.queue


@pytest.fixture
def customers(system: System) -> Iterator[Customers]:
    with customers_of(system) as customers:
        yield customers


@pytest.fixture
def letters(system: System, own_queue: str) -> Letters:
    return Letters(system)
