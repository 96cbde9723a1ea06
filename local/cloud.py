"""The whole cloud, with the functions, as processes of this machine."""

import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient

from local import tls
from local.azurite import create_missing_tables
from local.component import REPOSITORY
from local.functions import Function
from local.parts import Parts, command_lines
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
    "UPGRADE_DEADLINE_H": "0.012",
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
    "MALLOC_ARENA_MAX": "2",
}
FUNCTIONS = {"CreateUpgrade": 2, "PollUpgrade": 1}


@dataclass
class Cloud:
    """A running cloud. `folder`: state, certificates and logs. `settings`: added to the app's.

    `front`: the app reaches its tables through a proxy that can break them and records its writes. `deaths`: how many
    of the functions' processes were found dead and replaced.
    """

    folder: Path
    base_port: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    queue: Mapping[str, object] = field(default_factory=lambda: {"lock_s": 10, "max_delivery_count": 5})
    app: Path = REPOSITORY
    front: bool = False
    parts: Parts = field(init=False)
    functions: list[Function] = field(init=False, default_factory=list)
    deaths: int = field(init=False, default=0)
    _functions_change: threading.Lock = field(init=False, repr=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.parts = Parts(self.folder)

    def start(self) -> None:
        """Starts all parts but the functions, and puts in place what a deployment and a consent leave behind."""
        self.folder.mkdir(parents=True, exist_ok=True)
        certificates = tls.ensure(self.folder / "tls")
        (self.folder / "queues.json").write_text(json.dumps({QUEUE: dict(self.queue)}))
        self.parts.start(command_lines(self.folder, self.base_port, tenant=TENANT, client_id=CLIENT_ID))
        if self.front:
            target = ("--target", self.tables_url)
            self.parts.start({"storage_front": ("--tls", str(certificates.folder), *target)})
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
            self.functions = list(pool.map(self._function, names, range(len(names))))

    def start_function(self, name: str) -> Function:
        """One more process of it."""
        with self._functions_change:
            index = 1 + max((function.index for function in self.functions), default=-1)
            self.functions.append(self._function(name, index))
            return self.functions[-1]

    def end_function(self, function: Function) -> None:
        """Drains and ends one; where it died and was replaced, what took its place."""
        with self._functions_change:
            ended = [other for other in self.functions if other.index == function.index]
            self.functions = [other for other in self.functions if other.index != function.index]
        for process in ended:
            process.close()

    def restart_dead_functions(self) -> int:
        """As the platform does. How many there were."""
        with self._functions_change:
            dead = [place for place, function in enumerate(self.functions) if not function.host.running]
            for place in dead:
                function = self.functions[place]
                function.close()
                self.functions[place] = self._function(function.name, function.index)
            self.deaths += len(dead)
        return len(dead)

    def stop_functions(self) -> None:
        """Drains and ends them; the rest of the cloud goes on."""
        with self._functions_change:
            ended, self.functions = self.functions, []
        with ThreadPoolExecutor() as pool:
            list(pool.map(Function.close, ended))

    def stop(self) -> None:
        self.stop_functions()
        self.parts.stop_all()

    def stop_part(self, name: str, sig: signal.Signals = signal.SIGTERM) -> None:
        self.parts.stop(name, sig)

    def start_part(self, name: str) -> None:
        """Again, on its ports, with what it held."""
        self.parts.start_again(name)

    def restart(self, name: str, sig: signal.Signals = signal.SIGTERM) -> None:
        """Not at the same time as another restart of the same part."""
        self.stop_part(name, sig)
        self.start_part(name)

    def faults(self, name: str, rules: Sequence[Mapping[str, object]]) -> None:
        """The rules in force at identity, key_vault or storage_front from now on, each a `fault_rules.Rule`."""
        self.parts.control(name, "PUT", "faults", rules)

    def faults_fired(self, name: str) -> dict[str, int]:
        """How often, by the names of the rules."""
        fired: dict[str, int] = self.parts.control(name, "GET", "faults")
        return fired

    @property
    def service_bus(self) -> str:
        """The connection string."""
        return str(self.parts["service_bus"].facts["connection_string"])

    @property
    def tables_url(self) -> str:
        """Of the storage itself."""
        return str(self.parts["azurite"].facts["url"])

    @property
    def front_url(self) -> str:
        """Of the proxy before it."""
        return str(self.parts["storage_front"].facts["url"])

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
            "TABLES_URL": self.front_url if self.front else self.tables_url,
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
        return self.parts.control("partner_center", method, path, content)

    def logs(self) -> Iterator[dict[str, Any]]:
        """Every log line of the functions so far, as rows of AppTraces (docs/telemetry.md)."""
        for path in sorted((self.folder / "logs").glob("*.jsonl")):
            for line in path.read_text().splitlines():
                yield json.loads(line)

    def _function(self, name: str, index: int) -> Function:
        return Function(name, index, app=self.app, settings=self.app_settings, logs=self.folder / "logs")

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
