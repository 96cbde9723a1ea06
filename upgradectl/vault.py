"""The two secrets as an operator sees and writes them (the azure-keyvault-secrets SDK's `SecretClient`)."""

from dataclasses import dataclass, field
from datetime import datetime

from azure.core.exceptions import ResourceNotFoundError
from azure.keyvault.secrets import SecretClient

from shared.credentials import PLACEHOLDER
from shared.transport import total_deadline

_NO_VERSION = "0" * 32


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """The current version of a secret. Instants are aware UTC."""

    value: str = field(repr=False)
    created_at: datetime | None
    expires_at: datetime | None

    @property
    def is_placeholder(self) -> bool:
        """Nobody has replaced what the deployment put there."""
        return self.value.startswith(PLACEHOLDER)


class OperatorVault:
    """All raise azure.core's HttpResponseError, or ServiceRequestError and ServiceResponseError without an answer."""

    def __init__(self, client: SecretClient, call_deadline_s: float) -> None:
        self._client = client
        self._call_deadline_s = call_deadline_s

    def get(self, name: str) -> StoredSecret | None:
        """None: there is no such secret."""
        try:
            with total_deadline(self._call_deadline_s):
                found = self._client.get_secret(name)
        except ResourceNotFoundError:
            return None
        return StoredSecret(found.value or "", found.properties.created_on, found.properties.expires_on)

    def put(self, name: str, value: str) -> None:
        """A person's version: without the tag of the app's own, so that the app never writes over it."""
        with total_deadline(self._call_deadline_s):
            self._client.set_secret(name, value)

    def try_update(self, name: str) -> None:
        """Asks to change a version that does not exist, which changes nothing. Returns where that would be allowed."""
        try:
            with total_deadline(self._call_deadline_s):
                self._client.update_secret_properties(name, _NO_VERSION, content_type="")
        except ResourceNotFoundError:
            return
