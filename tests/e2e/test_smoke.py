"""The smoke test of a deployment, against the local cloud: before the first consent, after it, with nobody at work."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient

from local.cloud import QUEUE, Cloud, environment, running
from local.component import REPOSITORY
from shared.settings import Settings

TOKEN = Settings.refresh_token_secret_name


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """As a deployment leaves it: without functions, and with a placeholder where the refresh token belongs."""
    with running(Cloud(tmp_path / "cloud")) as started, environment(started.client_environment):
        _set_secret(started, "placeholder: replaced by upgradectl consent")
        yield started


def _set_secret(cloud: Cloud, value: str) -> None:
    with (
        DefaultAzureCredential() as credential,
        SecretClient(cloud.app_settings["KEY_VAULT_URL"], credential) as vault,
    ):
        vault.set_secret(TOKEN, value)


def _smoke(request_id: str, *options: str, settings: Mapping[str, str]) -> tuple[int, str]:
    """The exit code, and what was said."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.smoke", request_id, *options],
        cwd=REPOSITORY, env={**os.environ, **settings}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    return done.returncode, done.stdout


def _outputs(cloud: Cloud) -> Mapping[str, str]:
    """Of the deployment."""
    return {
        "SERVICE_BUS_NAMESPACE": f"localhost:{cloud.parts['service_bus'].facts['port']}",
        "UPGRADE_QUEUE": QUEUE,
        "TABLES_URL": cloud.tables_url,
    }


@pytest.mark.timeout(120)
def test_it_is_skipped_before_the_first_consent_and_passes_after_it(cloud: Cloud) -> None:
    cloud.start_functions({"CreateUpgrade": 1, "PollUpgrade": 1})
    code, said = _smoke("smoke-1", settings=_outputs(cloud))
    assert (code, said) == (0, f"smoke-1 skipped: nobody has set the secret {TOKEN} yet: `upgradectl consent`\n")
    _set_secret(cloud, cloud.fake("POST", "sign-in", {"mfa": True})["refresh_token"])
    ends = time.monotonic() + 30
    while "skipped" in said:  # the gate finds out by itself
        assert time.monotonic() < ends, said
        code, said = _smoke("smoke-2", settings=_outputs(cloud))
    assert (code, said.partition(":")[0]) == (0, "smoke-2 passed")
    assert cloud.fake("GET", "ledger")["upgrades"]


@pytest.mark.timeout(120)
def test_it_fails_where_nobody_takes_the_request(cloud: Cloud) -> None:
    code, said = _smoke("smoke-3", "--timeout-s", "0", settings=_outputs(cloud))
    assert code == 1
    assert said.startswith("smoke-3 failed: nobody has claimed the request")


def test_it_says_in_one_line_what_it_needs() -> None:
    nothing = dict.fromkeys(("SERVICE_BUS_NAMESPACE", "UPGRADE_QUEUE", "TABLES_URL"), "")
    code, said = _smoke("smoke-4", settings={**nothing, "SERVICE_BUS_NAMESPACE": "localhost:9"})
    assert code == 1
    assert len(said.splitlines()) == 1
    assert "UPGRADE_QUEUE is missing; TABLES_URL is missing" in said
