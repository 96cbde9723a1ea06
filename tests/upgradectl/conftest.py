"""A system for the operator's command line: every part but the functions, and the command as its user starts it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient

from local.azurite import create_missing_tables
from local.component import REPOSITORY, Component, start
from local.tls import Tls
from shared.upgrade_store import TABLES
from upgradectl.connections import Connections
from upgradectl.target import Target

TENANT = "11111111-1111-4111-8111-111111111111"
CLIENT_ID = "22222222-2222-4222-8222-222222222222"
QUEUE = "upgrades"


@dataclass
class System:
    """`parts`: the running ones. `folder`: where a command is started. Each test has secrets of its own."""

    parts: Mapping[str, Component]
    environment: Mapping[str, str]
    secrets: SecretClient
    folder: Path
    suffix: str = field(default_factory=lambda: uuid4().hex)

    @property
    def client_secret_name(self) -> str:
        return f"client-{self.suffix}"

    @property
    def refresh_token_name(self) -> str:
        return f"refresh-{self.suffix}"

    @property
    def settings(self) -> dict[str, str]:
        facts = {name: part.facts for name, part in self.parts.items()}
        return {
            "PARTNER_TENANT_ID": TENANT,
            "PARTNER_CLIENT_ID": CLIENT_ID,
            "KEY_VAULT_URL": str(facts["key_vault"]["url"]),
            "TABLES_URL": str(facts["storage_front"]["url"]),
            "PARTNER_CENTER_URL": str(facts["partner_center"]["api_url"]),
            "AUTHORITY_URL": str(facts["partner_center"]["authority_url"]),
            "SERVICE_BUS_NAMESPACE": f"localhost:{facts['service_bus']['port']}",
            "UPGRADE_QUEUE": QUEUE,
            "CLIENT_SECRET_NAME": self.client_secret_name,
            "REFRESH_TOKEN_SECRET_NAME": self.refresh_token_name,
            "AZURE_CALL_DEADLINE_S": "5",
            "CONNECT_TIMEOUT_S": "2",
        }

    def connect(self, **changed: str) -> Connections:
        target = Target({**self.settings, **changed}, "a test")
        return Connections(target, target.settings())

    def put(self, name: str, value: str) -> None:
        self.secrets.set_secret(name, value)

    def put_client_secret(self) -> None:
        self.put(self.client_secret_name, str(self.parts["partner_center"].facts["client_secret"]))

    def put_refresh_token(self, *, mfa: bool = True) -> None:
        self.put(self.refresh_token_name, self.fake("POST", "sign-in", {"mfa": mfa})["refresh_token"])

    def fake(self, method: str, path: str, content: object = None) -> Any:
        """The control API of the fake Partner Center."""
        url = f"{self.parts['partner_center'].facts['api_url']}/_fake/{path}"
        response = requests.request(method, url, json=content, timeout=5)
        assert response.status_code == 200, response.text
        return response.json()

    def rule(self, part: str, *rules: Mapping[str, object]) -> None:
        """The faults of a part, instead of those before."""
        url = f"{self.parts[part].facts['control_url']}/_fake/faults"
        response = requests.put(url, json=rules, timeout=5)
        assert response.status_code == 200, response.text

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> "Ran":
        """`python -m upgradectl`, as a person's shell would start it."""
        return self.run_in({**self.environment, **self.settings, **environment}, *arguments, stdin=stdin)

    def run_in(self, environment: Mapping[str, str], *arguments: str, stdin: str = "") -> "Ran":
        """With nothing else in the environment."""
        ended = subprocess.run(
            [sys.executable, "-m", "upgradectl", *arguments],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), **environment},
            cwd=self.folder,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
            start_new_session=True,  # no terminal to read a secret from
        )
        return Ran(ended.returncode, ended.stdout, ended.stderr)


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def notes(self) -> str:
        """Standard error without the line that says which system is changed."""
        return "".join(line for line in self.err.splitlines(keepends=True) if not line.startswith("System: "))

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(scope="session")
def parts(
    tls: Tls, identity: Component, key_vault: Component, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Component]]:
    """Tables and queue of these tests' own."""
    folder = tmp_path_factory.mktemp("upgradectl")
    (folder / "queues.json").write_text(json.dumps({QUEUE: {}}))
    keys = ("--tls", str(tls.folder))
    arguments = {
        "service_bus": ("--queues", str(folder / "queues.json")),
        "partner_center": (*keys, "--tenant", TENANT, "--client-id", CLIENT_ID),
        "azurite": (*keys, "--in-memory"),
    }
    started = {name: start(f"local.{name}", *given, log=folder / f"{name}.log") for name, given in arguments.items()}
    target = ("--target", str(started["azurite"].facts["url"]))
    started["storage_front"] = start("local.storage_front", *keys, *target, log=folder / "storage_front.log")
    yield {**started, "identity": identity, "key_vault": key_vault}
    for part in reversed(started.values()):
        assert part.stop() == 0


@pytest.fixture(scope="session")
def secrets(parts: Mapping[str, Component], cloud_environment: None) -> Iterator[SecretClient]:
    """What a deployment leaves behind: the tables. The secrets are each test's own."""
    with DefaultAzureCredential() as credential:
        create_missing_tables(str(parts["azurite"].facts["url"]), TABLES, credential)
        with SecretClient(str(parts["key_vault"].facts["url"]), credential) as client:
            yield client


@pytest.fixture
def system(
    parts: Mapping[str, Component], secrets: SecretClient, tls: Tls, identity: Component, tmp_path: Path
) -> Iterator[System]:
    """A new one: consent is still to be given."""
    environment = {**tls.environment, **identity.facts["environment"], "NO_PROXY": "*"}
    system = System(parts, environment, secrets, tmp_path)
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
