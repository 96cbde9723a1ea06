"""The two secrets in Key Vault, with every call bounded.

Source: the azure-keyvault-secrets SDK's `SecretClient`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from azure.core.exceptions import AzureError, HttpResponseError
from azure.keyvault.secrets import SecretClient

from shared.credentials import Secret
from shared.errors import TokenRefused, TokenUnavailable
from shared.transport import total_deadline


class KeyVault:
    """`credentials.Vault` over the SDK's client."""

    def __init__(self, client: SecretClient, call_deadline_s: float) -> None:
        self._client = client
        self._call_deadline_s = call_deadline_s

    def get_secret(self, name: str) -> Secret:
        """The current version."""
        with self._bounded(name):
            secret = self._client.get_secret(name)
        properties = secret.properties
        return Secret(secret.value or "", properties.version or "", properties.created_on or datetime.now(UTC))

    def set_secret(self, name: str, value: str) -> None:
        """A new version, marked as the app's own."""
        with self._bounded(name):
            self._client.set_secret(name, value, tags={"written-by": "app"})

    @contextmanager
    def _bounded(self, name: str) -> Iterator[None]:
        try:
            with total_deadline(self._call_deadline_s):
                yield
        except HttpResponseError as error:
            if error.status_code in (403, 404):
                raise TokenRefused(f"Key Vault answers {error.status_code}", code=f"secret:{name}") from None
            raise TokenUnavailable(f"Key Vault answers {error.status_code}") from None
        except AzureError as error:
            raise TokenUnavailable(f"Key Vault: {type(error).__name__}") from None
