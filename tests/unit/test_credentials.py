"""The token without a network: what only a vault that misbehaves shows."""

import logging
from collections.abc import Iterable

import pytest
import requests

from shared.credentials import Credentials, Secret, Version
from shared.errors import TokenRefused
from shared.sign_in import SignIn
from tests.fakes import FakeClock, settings


class _EmptyVault:
    """Nobody has consented yet."""

    reads = 0

    def get_secret(self, name: str, version_id: str | None = None) -> Secret:
        self.reads += 1
        raise TokenRefused("Key Vault answers 404", code=f"secret:{name}")

    def set_secret(self, name: str, value: str) -> None:
        raise AssertionError

    def list_versions(self, name: str) -> Iterable[Version]:
        raise AssertionError


def test_a_scheduled_renewal_without_a_secret_asks_for_consent_once_per_attempt(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    clock, vault = FakeClock(), _EmptyVault()
    with requests.Session() as session:
        credentials = Credentials(vault, SignIn(session, settings()), clock, settings())
    with pytest.raises(TokenRefused):
        credentials.renew_if_due()
    credentials.renew_if_due()  # not again before RETRY_MAX_S
    assert vault.reads == 1
    assert caplog.text.count("auth.consent_required") == 1
    clock.advance(settings().retry_max_s)
    with pytest.raises(TokenRefused):
        credentials.renew_if_due()
