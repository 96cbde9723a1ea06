"""A Service Bus trigger's connection, from the app settings that it names: a connection string, or a namespace.

Follows "Azure Service Bus bindings: connections".
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from azure.core.credentials import AccessToken, TokenCredential
from azure.servicebus.aio import ServiceBusClient

from local.functions_host.settings import MissingSettingError

# A connection that is gone is opened anew by the listener, which logs it; within one the SDK tries again but briefly.
_RETRIES: Mapping[str, Any] = {"retry_total": 1, "retry_backoff_factor": 0.05}


def client_factory(connection: str, settings: Mapping[str, str]) -> Callable[[], ServiceBusClient]:
    """How to open a connection. Raises: MissingSettingError."""
    if connection_string := settings.get(connection):
        return lambda: ServiceBusClient.from_connection_string(connection_string, **_RETRIES)
    namespace = settings.get(f"{connection}__fullyQualifiedNamespace")
    if not namespace:
        raise MissingSettingError(f"the connection '{connection}' has no setting")
    credential = _Credential(_identity(connection, settings))
    use_tls = namespace.partition(":")[0] not in ("localhost", "127.0.0.1")  # the emulator has none
    return lambda: ServiceBusClient(namespace, credential, use_tls=use_tls, **_RETRIES)


def _identity(connection: str, settings: Mapping[str, str]) -> TokenCredential:
    from azure.identity import DefaultAzureCredential, ManagedIdentityCredential  # noqa: PLC0415  slow to import

    if settings.get(f"{connection}__credential", "").lower() != "managedidentity":
        return DefaultAzureCredential()
    return ManagedIdentityCredential(client_id=settings.get(f"{connection}__clientId"))


class _Credential:
    """azure.identity's credential for the asynchronous client: azure.identity.aio would need aiohttp."""

    def __init__(self, credential: TokenCredential) -> None:
        self._credential = credential

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return await asyncio.to_thread(self._credential.get_token, *scopes, **options)

    async def close(self) -> None:
        """Kept open: the connections of all slots share it."""

    async def __aenter__(self) -> "_Credential":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
