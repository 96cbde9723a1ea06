"""`doctor`: tables, secrets and queue that are missing, or refused; each role is named."""

from typing import cast

import pytest
from azure.data.tables import TableServiceClient
from azure.identity import DefaultAzureCredential
from azure.servicebus.exceptions import ServiceBusAuthorizationError

from shared.credentials import PLACEHOLDER
from shared.upgrade_store import CONTROL, TABLES
from tests.upgradectl.answers_support import forbidden
from tests.upgradectl.doctor_support import OF_TABLES, OF_VAULT, look, only
from tests.upgradectl.system import QUEUE, System
from upgradectl.azure_checks import AzureChecks
from upgradectl.connections import Connections
from upgradectl.diagnosis import State, ok


def test_a_token_that_is_no_jwt_is_one_too(consented: System, monkeypatch: pytest.MonkeyPatch) -> None:
    with consented.connect() as connections:
        monkeypatch.setattr(connections.credential, "get_token", lambda scope: _Token("opaque"))
        (identity, *_) = AzureChecks(connections).checks()
        assert identity.examine() == ok("signed in")


class _Token:
    def __init__(self, token: str) -> None:
        self.token = token


def test_a_reader_of_the_tables_is_warned(consented: System) -> None:
    consented.rule("storage_front", forbidden("AuthorizationPermissionMismatch", method="DELETE"))
    found = look(consented)
    assert only(found, State.WARNING) == OF_TABLES
    line = found["table UpgradeControl"].line
    assert "answered 403 AuthorizationPermissionMismatch" in line
    assert "Storage Table Data Contributor on the table UpgradeControl" in line


def test_who_may_not_read_a_table_learns_the_role(consented: System) -> None:
    consented.rule("storage_front", forbidden("AuthorizationPermissionMismatch", path="UpgradeResults"))
    found = look(consented)
    assert only(found, State.FAILED) == ("table UpgradeResults",)
    assert "Storage Table Data Reader on the table UpgradeResults" in found["table UpgradeResults"].remedy


def test_a_network_rule_is_no_missing_role(consented: System) -> None:
    consented.rule("storage_front", forbidden("AuthorizationFailure", path="UpgradeResults"))
    assert "network rules" in look(consented)["table UpgradeResults"].remedy


def test_looking_writes_nothing(consented: System) -> None:
    def content() -> list[object]:
        with consented.connect() as connections:
            return [sorted(map(repr, connections.open_table(name).list_entities())) for name in TABLES]

    before = content()
    look(consented)
    assert content() == before


def test_a_table_that_is_missing(consented: System) -> None:
    with (
        DefaultAzureCredential() as credential,
        TableServiceClient(str(consented.parts["azurite"].facts["url"]), credential=credential) as tables,
    ):
        tables.delete_table(CONTROL)
        try:
            found = look(consented)
        finally:
            tables.create_table(CONTROL)
    assert only(found, State.FAILED) == ("table UpgradeControl",)
    assert found["table UpgradeControl"].detail == "there is no such table"


def test_who_may_not_read_the_secrets_learns_the_role(consented: System) -> None:
    consented.rule("key_vault", forbidden("Forbidden", method="GET", path=consented.refresh_token_name))
    found = look(consented)
    assert only(found, State.FAILED) == ("refresh token",)
    assert f"Key Vault Secrets User on the secret {consented.refresh_token_name}" in found["refresh token"].remedy


def test_who_may_not_write_the_secrets_is_warned(consented: System) -> None:
    consented.rule("key_vault", forbidden("Forbidden", method="PATCH"))
    found = look(consented)
    assert only(found, State.WARNING) == ("Key Vault: write",)
    assert "Key Vault Secrets Officer" in found["Key Vault: write"].remedy


def test_a_vault_that_fails_is_no_missing_role(consented: System) -> None:
    consented.rule("key_vault", {"name": "out", "do": "answer", "status": 500, "code": "Internal", "path": "/secrets/"})
    found = look(consented)
    assert only(found, State.FAILED) == OF_VAULT
    assert all("answered 500 Internal" in found[name].detail for name in OF_VAULT)


@pytest.mark.parametrize("which", ["client credential", "refresh token"])
def test_a_placeholder_is_known_as_one(consented: System, which: str) -> None:
    names = {"client credential": consented.client_secret_name, "refresh token": consented.refresh_token_name}
    consented.put(names[which], f"{PLACEHOLDER} replaced by upgradectl consent")
    found = look(consented)
    assert only(found, State.FAILED) == (which,)
    assert found[which].detail == f"{names[which]} is the deployment's placeholder"
    assert "upgradectl consent" in found[which].remedy


def test_a_certificate_that_is_none(consented: System) -> None:
    found = look(consented, CLIENT_CERTIFICATE_NAME=consented.client_secret_name)
    assert only(found, State.FAILED) == ("client credential",)
    assert "neither PKCS#12 nor PEM" in found["client credential"].detail


class _ForbiddenQueue:
    name = QUEUE

    def peek(self) -> int:
        raise ServiceBusAuthorizationError(message="Unauthorized access. 'Listen' claim(s) are required.")

    def open_sender(self) -> None:
        raise ServiceBusAuthorizationError(message="Unauthorized access. 'Send' claim(s) are required.")


class _WithQueue:
    queue = _ForbiddenQueue()


def test_who_may_not_use_the_queue_learns_the_role() -> None:
    checks = {check.name: check for check in AzureChecks(cast(Connections, _WithQueue())).checks()}
    for name, role in (("queue: receive", "Data Receiver"), ("queue: send", "Data Sender")):
        found = checks[name].examine()
        assert (found.state, found.remedy) == (
            State.FAILED,
            f"grant yourself Azure Service Bus {role} on the queue {QUEUE}",
        )
