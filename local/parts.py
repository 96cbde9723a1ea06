"""The parts of the local cloud as processes: each may end, and comes back where it was, with what it held."""

import secrets
import signal
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from local.component import Component, start

# The offsets from a base port, where one is given.
PORTS = ("service_bus", "identity", "key_vault", "azurite", "partner_center", "authority")
# The ready line's URL by the option that asks for its port; besides the port itself, with --port.
_MORE_PORTS: Mapping[str, Mapping[str, str]] = {
    "service_bus": {"--control-port": "control_url"},
    "partner_center": {"--api-port": "api_url", "--authority-port": "authority_url"},
}


def command_lines(folder: Path, base_port: int, *, tenant: str, client_id: str) -> Mapping[str, tuple[str, ...]]:
    """How the parts are started, all but the storage front. `base_port` 0: on free ports."""

    def port(name: str, option: str = "--port") -> tuple[str, ...]:
        return (option, str(base_port + PORTS.index(name))) if base_port else ()

    def state(name: str) -> tuple[str, ...]:
        return ("--state", str(folder / "state" / name))

    keys = ("--tls", str(folder / "tls"))
    return {
        "service_bus": ("--queues", str(folder / "queues.json"), *state("service_bus"), *port("service_bus")),
        "identity": ("--header", secrets.token_hex(16), *port("identity")),
        "key_vault": (*keys, *state("key_vault"), *port("key_vault")),
        "azurite": (*keys, *state("azurite"), *port("azurite")),
        "partner_center": (
            *keys, *state("partner_center"), "--tenant", tenant, "--client-id", client_id,
            *port("partner_center", "--api-port"), *port("authority", "--authority-port"),
        ),
    }  # fmt: skip


class Parts:
    """By name, `local.{name}`. A part that has ended keeps its place, and its facts, until it is started again.

    `folder`: of the cloud, with its certificates and logs. Different parts may be stopped and started by different
    threads.
    """

    def __init__(self, folder: Path) -> None:
        self._logs = folder / "logs"
        self._ca = folder / "tls" / "ca.pem"
        self._arguments: dict[str, tuple[str, ...]] = {}
        self._components: dict[str, Component] = {}

    def __getitem__(self, name: str) -> Component:
        return self._components[name]

    def start(self, arguments: Mapping[str, tuple[str, ...]]) -> None:
        """All that are named, at once."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(self._start, arguments, arguments.values()))

    def stop(self, name: str, sig: signal.Signals = signal.SIGTERM) -> None:
        """Returns when it has ended."""
        assert (name, sig) != ("azurite", signal.SIGKILL), "it would lose its last writes, which no cloud does"
        self._components[name].stop(sig=sig)

    def start_again(self, name: str) -> None:
        """On the ports that it had."""
        self._start(name, (*self._arguments[name], *_same_ports(name, self._components[name].facts)))

    def stop_all(self) -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(Component.stop, self._components.values()))

    def control(self, name: str, method: str, path: str, content: object = None) -> Any:
        """Asks a part's control API, under `/_fake/`."""
        facts = self._components[name].facts
        url = f"{facts.get('control_url') or facts['api_url']}/_fake/{path}"
        response = requests.request(method, url, json=content, timeout=30, verify=str(self._ca))
        response.raise_for_status()
        return response.json()

    def _start(self, name: str, arguments: tuple[str, ...]) -> None:
        self._components[name] = start(f"local.{name}", *arguments, log=self._logs / f"{name}.log")
        self._arguments.setdefault(name, arguments)


def _same_ports(name: str, facts: Mapping[str, Any]) -> list[str]:
    """Options: of one that is given twice, the last one counts."""
    ports = {option: urlsplit(facts[url]).port for option, url in _MORE_PORTS.get(name, {}).items()}
    if name != "partner_center":
        ports["--port"] = facts["port"]
    return [word for option, port in ports.items() for word in (option, str(port))]
