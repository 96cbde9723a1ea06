"""What several contract tests share."""

import logging
from collections.abc import Iterator
from contextlib import closing

import pytest
import requests
from azure.identity import DefaultAzureCredential

from local.component import Component
from local.tls import Tls
from shared import transport
from tests.contract.fake_partner_center import Partner, running_fake, signed_in
from tests.contract.use_cases import UseCases


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
def session() -> Iterator[requests.Session]:
    with closing(transport.new_session(connections=16)) as session:
        yield session


@pytest.fixture
def system(partner: Partner, session: requests.Session, caplog: pytest.LogCaptureFixture) -> UseCases:
    """The use cases against that fake; a tick is over before a gate that has just closed may be tried again."""
    caplog.set_level(logging.INFO, "upgrades")
    return UseCases(partner, session, tick_budget_s=10)
