"""A system for the operator's command line: every part but the functions, and the command as its user starts it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import requests
from azure.keyvault.secrets import SecretClient
from typer.testing import CliRunner

from local.component import REPOSITORY, Component
from upgradectl.app import app
from upgradectl.connections import Connections
from upgradectl.target import Target

TENANT = "11111111-1111-4111-8111-111111111111"
CLIENT_ID = "22222222-2222-4222-8222-222222222222"
QUEUE = "upgrades"
DEADLINE_S = 20


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


@dataclass
class System:
    """`parts`: the running ones. `folder`: where a command is started. Each test has secrets of its own.

    `queue`: what all share, unless the test has one of its own. `journal`: what the broker has recorded.
    """

    parts: Mapping[str, Component]
    environment: Mapping[str, str]
    secrets: SecretClient
    folder: Path
    journal: Path
    queue: str = QUEUE
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
            "UPGRADE_QUEUE": self.queue,
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

    def broker(self, command: str) -> None:
        """The control API of the broker."""
        url = f"{self.parts['service_bus'].facts['control_url']}/_fake/{command}"
        assert requests.post(url, timeout=5).status_code == 200

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> Ran:
        """`python -m upgradectl`, as a person's shell would start it."""
        return self.run_in({**self.environment, **self.settings, **environment}, *arguments, stdin=stdin)

    def run_in(self, environment: Mapping[str, str], *arguments: str, stdin: str = "") -> Ran:
        """With nothing else in the environment."""
        ended = subprocess.run(
            [sys.executable, "-m", "upgradectl", *arguments],
            env=_of_a_shell(environment),
            cwd=self.folder,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
            start_new_session=True,  # no terminal to read a secret from
        )
        return Ran(ended.returncode, ended.stdout, ended.stderr)

    def call(self, *arguments: str, stdin: str = "", **environment: str) -> Ran:
        """`run` in this process: a start of Python, with all SDKs, is most of the time that a command takes."""
        return self.call_in({**self.environment, **self.settings, **environment}, *arguments, stdin=stdin)

    def call_in(self, environment: Mapping[str, str], *arguments: str, stdin: str = "") -> Ran:
        """With no other settings in the environment."""
        given = {"TERM": "dumb", **environment}
        # With --local a command puts more into its environment, which is this process's.
        with contextlib.chdir(self.folder), patch.dict(os.environ):
            ended = CliRunner().invoke(app, arguments, input=stdin, env=given, catch_exceptions=False)
        return Ran(ended.exit_code, ended.stdout, ended.stderr)

    @contextlib.contextmanager
    def started(self, *arguments: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
        """While it runs; killed in the end."""
        # What a shell has put into the background ignores the signal, and so would its children.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        process = subprocess.Popen(
            [sys.executable, "-m", "upgradectl", *arguments],
            env=self.shell(**environment),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        signal.signal(signal.SIGINT, before)
        with process:
            try:
                yield process
            finally:
                process.kill()

    def shell(self, **environment: str) -> dict[str, str]:
        """The environment of a person who works with this system."""
        return _of_a_shell({**self.environment, **self.settings, **environment})


def _of_a_shell(environment: Mapping[str, str]) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), **environment}


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
