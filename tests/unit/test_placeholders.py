"""A fresh deployment: its placeholders are known for what they are, and nobody asks the token endpoint about them."""

import json
import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import cast

import pytest

from shared.credentials import PLACEHOLDER, Credentials, Secret, Version
from shared.errors import TokenRefused
from shared.models import GateReason, Position
from shared.sign_in import SignIn, Tokens
from shared.tick import Poller
from tests.fakes import NOON, World, settings

CLIENT = settings().client_secret_name
REFRESH = settings().refresh_token_secret_name


class _Vault:
    """What the deployment leaves behind, as far as no person has replaced it."""

    def __init__(self, **replaced: str) -> None:
        self.values = {CLIENT: f"{PLACEHOLDER} a client secret", REFRESH: f"{PLACEHOLDER} a token", **replaced}

    def get_secret(self, name: str, version_id: str | None = None) -> Secret:
        return Secret(self.values[name], Version(name, NOON - timedelta(minutes=1)))

    def set_secret(self, name: str, value: str) -> None:
        raise AssertionError

    def list_versions(self, name: str) -> Iterable[Version]:
        raise AssertionError


class _SignIn:
    exchanges = 0

    def exchange(self, client_credential: str, refresh_token: str) -> Tokens:
        self.exchanges += 1
        return Tokens("token", None, 3600, ("pwd", "mfa"))


def _credentials(world: World, vault: _Vault, sign_in: _SignIn) -> Credentials:
    return Credentials(vault, cast(SignIn, sign_in), world.clock, world.settings)


@pytest.mark.parametrize(
    ("replaced", "named", "event"),
    [
        ({CLIENT: "a real one"}, REFRESH, "auth.consent_required"),
        ({REFRESH: "a real one"}, CLIENT, "auth.credential_invalid"),
        ({}, CLIENT, "auth.credential_invalid"),
    ],
)
def test_a_placeholder_is_credential_trouble_without_a_call(
    replaced: dict[str, str], named: str, event: str, caplog: pytest.LogCaptureFixture
) -> None:
    sign_in = _SignIn()
    with pytest.raises(TokenRefused) as refused:
        _credentials(World(), _Vault(**replaced), sign_in).get_token()
    assert refused.value.code == f"secret:{named}"
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    name, _, fields = line.partition(" ")
    assert (name, json.loads(fields)["oauth_error"]) == (event, f"secret:{named}")
    assert sign_in.exchanges == 0


def test_the_first_tick_after_a_deployment_closes_the_gate_and_asks_for_consent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world, sign_in = World(), _SignIn()
    vault = _Vault()
    Poller(world.ports, _credentials(world, vault, sign_in)).tick()
    gate = world.store.gate
    assert (gate.position, gate.reason, gate.detail) == (Position.CLOSED, GateReason.CREDENTIALS, f"secret:{REFRESH}")
    assert caplog.text.count("auth.consent_required") == 1
    assert sign_in.exchanges == 0


def test_a_placeholder_that_a_person_has_replaced_is_none_any_more() -> None:
    world, vault, sign_in = World(), _Vault(), _SignIn()
    credentials = _credentials(world, vault, sign_in)
    with pytest.raises(TokenRefused):
        credentials.get_token()
    vault.values |= {CLIENT: "a real one", REFRESH: "another"}
    assert credentials.get_token() == "token"
