"""The secrets in Key Vault, with every call bounded.

Source: the azure-keyvault-secrets SDK's `SecretClient`.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from azure.core.exceptions import HttpResponseError
from azure.keyvault.secrets import SecretClient, SecretProperties

from shared.credentials import Secret, Version
from shared.errors import TokenRefused, TokenUnavailable
from shared.transport import total_deadline

_BY_APP = {"written-by": "app"}


class KeyVault:
    """`credentials.Vault` over the SDK's client."""

    def __init__(self, client: SecretClient, call_deadline_s: float) -> None:
        self._client = client
        self._call_deadline_s = call_deadline_s

    def get_secret(self, name: str, version_id: str | None = None) -> Secret:
        """The current version, or that one."""
        with self._bounded(name):
            secret = self._client.get_secret(name, version_id)
            return Secret(secret.value or "", _version(secret.properties))

    def set_secret(self, name: str, value: str) -> None:
        """A new version, marked as the app's own."""
        with self._bounded(name):
            self._client.set_secret(name, value, tags=_BY_APP)

    def list_versions(self, name: str) -> Iterable[Version]:
        """All that are enabled, in no order."""
        with self._bounded(name):
            found = list(self._client.list_properties_of_secret_versions(name))
            return [_version(properties) for properties in found if properties.enabled]

    @contextmanager
    def _bounded(self, name: str) -> Iterator[None]:
        try:
            with total_deadline(self._call_deadline_s):
                yield
        except HttpResponseError as error:
            if error.status_code in (403, 404):
                raise TokenRefused(f"Key Vault answers {error.status_code}", code=f"secret:{name}") from None
            raise TokenUnavailable(f"Key Vault answers {error.status_code}") from None
        except Exception as error:  # noqa: BLE001  odd bodies escape from the SDK as whatever it stumbled over
            raise TokenUnavailable(f"Key Vault: {type(error).__name__}") from None


def _version(properties: SecretProperties) -> Version:
    return Version(
        properties.version or "",
        properties.created_on or datetime.now(UTC),
        by_app=(properties.tags or {}).items() >= _BY_APP.items(),
    )
