"""The vault with the unmodified `azure-keyvault-secrets`, and what it refuses."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
import requests
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient

from local import access_token
from local.component import Component, start
from local.tls import Tls

ANOTHER_PROCESS = """
import sys
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient
print(SecretClient(sys.argv[1], DefaultAzureCredential()).get_secret(sys.argv[2]).value)
"""


@pytest.fixture
def client(key_vault: Component, credential: DefaultAzureCredential) -> Iterator[SecretClient]:
    with SecretClient(key_vault.facts["url"], credential) as client:
        yield client


@pytest.fixture
def name() -> str:
    return f"secret-{uuid4().hex}"


def _calls(key_vault: Component, tls: Tls) -> dict[str, int]:
    counts: dict[str, int] = requests.get(
        f"{key_vault.facts['url']}/_fake/calls", verify=str(tls.ca), timeout=10
    ).json()
    return counts


def test_a_secret_comes_back_as_it_was_set(client: SecretClient, name: str) -> None:
    expires = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    written = client.set_secret(
        name, "väl\nue", tags={"written-by": "app"}, content_type="text/plain", expires_on=expires
    )
    read = client.get_secret(name)
    assert (read.name, read.value, read.id) == (name, "väl\nue", written.id)
    properties = read.properties
    assert (properties.tags, properties.content_type) == ({"written-by": "app"}, "text/plain")
    assert (properties.expires_on, properties.enabled) == (expires, True)
    assert properties.recovery_level == "Recoverable+Purgeable"
    assert re.fullmatch("[0-9a-f]{32}", properties.version or "")
    assert properties.created_on == properties.updated_on
    assert properties.created_on
    assert properties.created_on.microsecond == 0
    assert abs(datetime.now(UTC) - properties.created_on).total_seconds() < 30


def test_older_versions_stay(client: SecretClient, name: str) -> None:
    old = client.set_secret(name, "old")
    client.set_secret(name, "new")
    assert client.get_secret(name).value == "new"
    assert client.get_secret(name, old.properties.version).value == "old"


def test_versions_are_listed_over_several_pages(client: SecretClient, name: str) -> None:
    written = {client.set_secret(name, str(each), tags={"n": str(each)}).properties.version for each in range(27)}
    pages = [[each.version for each in page] for page in client.list_properties_of_secret_versions(name).by_page()]
    assert [len(page) for page in pages] == [25, 2]
    assert {version for page in pages for version in page} == written
    assert {(each.tags or {})["n"] for each in client.list_properties_of_secret_versions(name, max_page_size=10)} == {
        str(each) for each in range(27)
    }


def test_an_unknown_secret_has_no_versions(client: SecretClient, name: str) -> None:
    assert list(client.list_properties_of_secret_versions(name)) == []


def test_secrets_are_listed_without_their_values(client: SecretClient, name: str) -> None:
    client.set_secret(name, "old")
    client.set_secret(name, "new", tags={"a": "1"})
    (listed,) = [each for each in client.list_properties_of_secrets() if each.name == name]
    assert (listed.tags, listed.version) == ({"a": "1"}, None)


def test_properties_of_the_latest_and_of_a_named_version_can_be_changed(client: SecretClient, name: str) -> None:
    old = client.set_secret(name, "old", tags={"a": "1"}).properties.version
    client.set_secret(name, "new", tags={"a": "1"}, content_type="text/plain")
    assert client.update_secret_properties(name, tags={"b": "2"}).tags == {"b": "2"}
    client.update_secret_properties(name, old, tags={"c": "3"})
    latest = client.get_secret(name)
    assert (latest.value, latest.properties.tags, latest.properties.content_type) == ("new", {"b": "2"}, "text/plain")
    assert client.get_secret(name, old).properties.tags == {"c": "3"}


def test_an_unknown_secret_is_not_found(client: SecretClient, name: str) -> None:
    with pytest.raises(ResourceNotFoundError) as refused:
        client.get_secret(name)
    assert refused.value.error
    assert refused.value.error.code == "SecretNotFound"


def test_a_disabled_secret_is_forbidden(client: SecretClient, name: str) -> None:
    client.set_secret(name, "value")
    client.update_secret_properties(name, enabled=False)
    with pytest.raises(HttpResponseError) as refused:
        client.get_secret(name)
    assert refused.value.status_code == 403
    assert refused.value.error
    assert refused.value.error.code == "Forbidden"


def test_another_process_sees_the_same_secret(key_vault: Component, client: SecretClient, name: str) -> None:
    client.set_secret(name, "shared")
    command = [sys.executable, "-c", ANOTHER_PROCESS, key_vault.facts["url"], name]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "shared\n"


def test_secrets_survive_a_restart(tmp_path: Path, tls: Tls, credential: DefaultAzureCredential) -> None:
    arguments = ("--tls", str(tls.folder), "--state", str(tmp_path / "state"))
    first = start("local.key_vault", *arguments, log=tmp_path / "log")
    try:
        with SecretClient(first.facts["url"], credential) as client:
            version = client.set_secret("kept", "value").properties.version
    finally:
        assert first.stop() == 0
    second = start("local.key_vault", *arguments, "--port", str(first.facts["port"]), log=tmp_path / "log")
    try:
        with SecretClient(second.facts["url"], credential) as client:
            secret = client.get_secret("kept")
        assert (secret.value, secret.properties.version) == ("value", version)
    finally:
        assert second.stop() == 0


def _token(key_vault: Component, *, port: int | None = None, age_s: int = 0) -> str:
    audience = f"https://0.0.1:{port or key_vault.facts['port']}"
    return "Bearer " + access_token.issue(audience, now=int(time.time()) - age_s, lifetime_s=60)


def _get(key_vault: Component, tls: Tls, authorization: str, path: str = "/secrets/any") -> requests.Response:
    url = f"{key_vault.facts['url']}{path}?api-version=7.6"
    return requests.get(url, headers={"Authorization": authorization}, verify=str(tls.ca), timeout=10)


def test_whoever_has_no_good_token_is_told_where_to_get_one(key_vault: Component, tls: Tls) -> None:
    assert _get(key_vault, tls, _token(key_vault)).status_code == 404
    for authorization in ("", "Bearer x", _token(key_vault, port=1), _token(key_vault, age_s=61)):
        refusal = _get(key_vault, tls, authorization)
        assert (refusal.status_code, refusal.json()["error"]["code"]) == (401, "Unauthorized")
        challenge = refusal.headers["WWW-Authenticate"]
        assert re.fullmatch(r'Bearer authorization="https://[^"]+", resource="https://0\.0\.1:\d+"', challenge)


@pytest.mark.parametrize("path", ["/secrets/a_b", "/keys", "/secrets/a/b"])
def test_other_paths_are_not_found(key_vault: Component, tls: Tls, path: str) -> None:
    assert _get(key_vault, tls, _token(key_vault), path).status_code == 404


def test_calls_are_counted_by_kind(key_vault: Component, tls: Tls, client: SecretClient, name: str) -> None:
    client.set_secret(name, "value")
    before = _calls(key_vault, tls)
    client.set_secret(name, "value")
    client.get_secret(name)
    list(client.list_properties_of_secret_versions(name))
    client.update_secret_properties(name, tags={})
    _get(key_vault, tls, "")
    after = _calls(key_vault, tls)
    changes = {kind: after[kind] - before.get(kind, 0) for kind in after if after[kind] != before.get(kind, 0)}
    assert changes == {"set": 1, "get": 1, "list_versions": 1, "update": 1, "unauthorized": 1}
