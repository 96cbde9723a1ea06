"""The parts of the local cloud that tests share: one of each per session, on free ports."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.component import Component, start
from local.tls import Tls, ensure


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything can be installed, a test that was skipped is one that did not run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter and reporter.stats.get("skipped"):
        reporter.write_line("skipped tests count as failed in CI", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _running(component: Component) -> Iterator[Component]:
    yield component
    assert component.stop() == 0


@pytest.fixture(scope="session")
def component_logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the shared parts write their standard error."""
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return ensure(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def identity(component_logs: Path) -> Iterator[Component]:
    yield from _running(start("local.identity", log=component_logs / "identity.log"))


@pytest.fixture(scope="session")
def key_vault(tls: Tls, component_logs: Path) -> Iterator[Component]:
    yield from _running(start("local.key_vault", "--tls", str(tls.folder), log=component_logs / "key_vault.log"))


@pytest.fixture(scope="session")
def azurite(tls: Tls, component_logs: Path) -> Iterator[Component]:
    arguments = ("--tls", str(tls.folder), "--in-memory")
    yield from _running(start("local.azurite", *arguments, log=component_logs / "azurite.log"))


@pytest.fixture(scope="session")
def cloud_environment(tls: Tls, identity: Component) -> Iterator[None]:
    """Lets this process's Azure SDKs find the local identity and trust the local certificates."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**tls.environment, **identity.facts["environment"]}.items():
            patch.setenv(name, value)
        yield
