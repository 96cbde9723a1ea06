"""The whole cloud, with the functions, as processes of this machine."""

import json
import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient

from local import tls
from local.azurite import create_missing_tables
from local.component import REPOSITORY, Component, start
from shared.settings import Settings
from shared.upgrade_store import TABLES

QUEUE = "upgrades"
TENANT = "5b1f3c52-6b0a-4c43-9d2e-0d8a4a3f7c11"
CLIENT_ID = "e0a1d3b4-7c65-4f08-8f5d-2b9c6a1e4d22"
# A cloud minute is a second here, and an hour half a minute: the same design, with less waiting.
DELAYS = {
    "POLL_SCHEDULE": "00:00:01",
    "CONNECT_TIMEOUT_S": "1",
    "READ_TIMEOUT_S": "1.5",
    "CALL_DEADLINE_S": "3",
    "LEASE_S": "8",
    "TICK_BUDGET_S": "60",
    "FIRST_POLL_S": "0.5",
    "MAX_POLL_S": "1",
    "UPGRADE_DEADLINE_H": "0.007",
    "NOT_FOUND_GRACE_S": "2",
    "RETRY_FIRST_S": "0.5",
    "RETRY_MAX_S": "4",
    "RETRY_AFTER_MAX_S": "5",
    "REFUSAL_FIRST_S": "0.5",
    "REFUSAL_MAX_S": "2",
    "REFUSAL_DEADLINE_D": "0.0001",
    "REFUSALS_MAX": "3",
    "GATE_CACHE_S": "0.2",
    "CENSUS_S": "5",
    "AZURE_CALL_DEADLINE_S": "5",
    "STORAGE_HOLD_S": "20",
    "PYTHON_THREADPOOL_THREAD_COUNT": "16",
}
# The offsets from a base port, where one is given.
PORTS = ("service_bus", "identity", "key_vault", "azurite", "partner_center", "authority")
FUNCTIONS = {"CreateUpgrade": 2, "PollUpgrade": 1}


@dataclass
class Cloud:
    """A running cloud. `folder`: state, certificates and logs. `settings`: added to the app's."""

    folder: Path
    base_port: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    queue: Mapping[str, object] = field(default_factory=lambda: {"lock_s": 10, "max_delivery_count": 5})
    app: Path = REPOSITORY
    parts: dict[str, Component] = field(default_factory=dict)
    functions: list["Function"] = field(default_factory=list)

    def start(self) -> None:
        """Starts all parts but the functions, and puts in place what a deployment and a consent leave behind."""
        self.folder.mkdir(parents=True, exist_ok=True)
        certificates = tls.ensure(self.folder / "tls")
        queues = self.folder / "queues.json"
        queues.write_text(json.dumps({QUEUE: dict(self.queue)}))
        keys = ("--tls", str(certificates.folder))
        arguments: dict[str, tuple[str, ...]] = {
            "service_bus": ("--queues", str(queues), "--state", self._state("service_bus"), *self._port("service_bus")),
            "identity": self._port("identity"),
            "key_vault": (*keys, "--state", self._state("key_vault"), *self._port("key_vault")),
            "azurite": (*keys, "--state", self._state("azurite"), *self._port("azurite")),
            "partner_center": (
                *keys, "--state", self._state("partner_center"), "--tenant", TENANT, "--client-id", CLIENT_ID,
                *self._port("partner_center", "--api-port"), *self._port("authority", "--authority-port"),
            ),
        }  # fmt: skip
        with ThreadPoolExecutor() as pool:
            started = {name: pool.submit(self._start, name, given) for name, given in arguments.items()}
            self.parts = {name: part.result() for name, part in started.items()}
        self.client_environment = {
            **certificates.environment,
            **self.parts["identity"].facts["environment"],
            "NO_PROXY": "127.0.0.1,localhost",
        }
        self._deploy()

    def start_functions(self, counts: Mapping[str, int] | None = None) -> None:
        """Each function in processes of its own, as on Flex Consumption. Default: two of CreateUpgrade."""
        names = [name for name, count in (counts or FUNCTIONS).items() for _ in range(count)]
        with ThreadPoolExecutor() as pool:
            self.functions = list(pool.map(self._start_function, range(len(names)), names))

    def restart_dead_functions(self) -> int:
        """As the platform does. How many there were."""
        dead = [index for index, function in enumerate(self.functions) if not function.host.running]
        for index in dead:
            self.functions[index].close()
            self.functions[index] = self._start_function(index, self.functions[index].name)
        return len(dead)

    def stop_functions(self) -> None:
        """Drains and ends them; the rest of the cloud goes on."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(Function.close, self.functions))
        self.functions = []

    def stop(self) -> None:
        self.stop_functions()
        with ThreadPoolExecutor() as pool:
            list(pool.map(Component.stop, self.parts.values()))

    @property
    def service_bus(self) -> str:
        """The connection string."""
        return str(self.parts["service_bus"].facts["connection_string"])

    @property
    def tables_url(self) -> str:
        return str(self.parts["azurite"].facts["url"])

    @property
    def partner_center_url(self) -> str:
        return str(self.parts["partner_center"].facts["api_url"])

    @property
    def app_settings(self) -> dict[str, str]:
        """What the app finds in its environment."""
        return {
            "PARTNER_TENANT_ID": TENANT,
            "PARTNER_CLIENT_ID": CLIENT_ID,
            "KEY_VAULT_URL": str(self.parts["key_vault"].facts["url"]),
            "TABLES_URL": self.tables_url,
            "PARTNER_CENTER_URL": self.partner_center_url,
            "AUTHORITY_URL": str(self.parts["partner_center"].facts["authority_url"]),
            "UPGRADE_QUEUE": QUEUE,
            "ServiceBus": self.service_bus,
            **DELAYS,
            **self.client_environment,
            **self.settings,
        }

    def fake(self, method: str, path: str, content: object = None) -> Any:
        """The control API of the fake Partner Center."""
        url = f"{self.partner_center_url}/_fake/{path}"
        response = requests.request(method, url, json=content, timeout=30)
        response.raise_for_status()
        return response.json()

    def logs(self) -> Iterator[dict[str, Any]]:
        """Every log line of the functions so far."""
        for path in sorted((self.folder / "logs").glob("*.jsonl")):
            for line in path.read_text().splitlines():
                yield json.loads(line)

    def _start(self, name: str, arguments: tuple[str, ...]) -> Component:
        return start(f"local.{name}", *arguments, log=self.folder / "logs" / f"{name}.log")

    def _start_function(self, index: int, name: str) -> "Function":
        return Function(name, index, self)

    def _state(self, name: str) -> str:
        return str(self.folder / "state" / name)

    def _port(self, name: str, option: str = "--port") -> tuple[str, ...]:
        return (option, str(self.base_port + PORTS.index(name))) if self.base_port else ()

    def _deploy(self) -> None:
        """Tables, and the secrets where there are none yet."""
        with environment(self.client_environment), ExitStack() as stack:
            credential = DefaultAzureCredential()
            stack.callback(credential.close)
            create_missing_tables(self.tables_url, TABLES, credential)
            vault = stack.enter_context(SecretClient(str(self.parts["key_vault"].facts["url"]), credential))
            present = {secret.name for secret in vault.list_properties_of_secrets()}
            if Settings.client_secret_name not in present:
                vault.set_secret(Settings.client_secret_name, self.parts["partner_center"].facts["client_secret"])
            if Settings.refresh_token_secret_name not in present:
                consent = self.fake("POST", "sign-in", {"mfa": True})
                vault.set_secret(Settings.refresh_token_secret_name, consent["refresh_token"])


class Function:
    """One process of a function, and the log lines that it writes."""

    def __init__(self, name: str, index: int, cloud: Cloud) -> None:
        logs = cloud.folder / "logs"
        self.name = name
        self.host = start(
            "local.functions_host", "--app", str(cloud.app), "--function", name,
            log=logs / f"{name}-{index}.log", env=cloud.app_settings, timeout_s=60,
        )  # fmt: skip
        self._lines = logs / f"{name}-{index}.jsonl"
        self._reader = threading.Thread(target=self._copy, daemon=True)
        self._reader.start()

    def close(self) -> None:
        self.host.stop(timeout_s=40)
        self._reader.join(5)

    def _copy(self) -> None:
        """From the host's standard output, which would fill up, to a file."""
        assert self.host.process.stdout
        with self._lines.open("a") as lines:
            for line in self.host.process.stdout:
                lines.write(line)
                lines.flush()


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """The SDKs' credential reads the environment: for the time of a block it names the local cloud."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def running(cloud: Cloud, *, fresh: bool = False) -> Iterator[Cloud]:
    """The cloud without its functions; `fresh` forgets an earlier run's state."""
    if fresh:
        shutil.rmtree(cloud.folder, ignore_errors=True)
    try:
        cloud.start()
        yield cloud
    finally:
        cloud.stop()
