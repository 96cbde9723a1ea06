"""Who we are, and what our roles allow: each tried with a call that changes nothing."""

import base64
import json
import uuid
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.servicebus.exceptions import (
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusError,
)

from shared.upgrade_store import TABLES
from upgradectl import reach_checks
from upgradectl.connections import Connections
from upgradectl.diagnosis import Check, Finding, failed, ok, warning
from upgradectl.errors import SIGN_IN_REMEDY, answered, first_line, remedy_of_403

IDENTITY = "Azure sign-in"
_SCOPE = "https://storage.azure.com/.default"  # the same in all clouds
_NO_ETAG = "W/\"datetime'2000-01-01T00%3A00%3A00.0000000Z'\""


class AzureChecks:
    """Identity, queue and tables."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def checks(self) -> tuple[Check, ...]:
        bus = (reach_checks.SERVICE_BUS, IDENTITY)
        return (
            Check(IDENTITY, self._identity),
            Check("queue: receive", lambda: self._queue("Data Receiver"), bus),
            Check("queue: send", lambda: self._queue("Data Sender"), bus),
            *(Check(f"table {name}", self._table(name), (reach_checks.TABLES, IDENTITY)) for name in TABLES),
        )

    def _identity(self) -> Finding:
        try:
            token = self._connections.credential.get_token(_SCOPE).token
        except Exception as error:  # noqa: BLE001  each kind of credential fails in its own way
            return failed(f"no token ({type(error).__name__}: {first_line(error)})", SIGN_IN_REMEDY)
        return ok(_whose(token))

    def _queue(self, role: str) -> Finding:
        queue = self._connections.queue
        try:
            if role == "Data Sender":
                queue.open_sender()
                return ok("a sender may be opened; nothing was sent")
            return ok("messages wait" if queue.peek() else "empty")
        except (ServiceBusAuthenticationError, ServiceBusAuthorizationError):
            return failed("refused", f"grant yourself Azure Service Bus {role} on the queue {queue.name}")
        except MessagingEntityNotFoundError:
            return failed(f"there is no queue {queue.name}", "check UPGRADE_QUEUE, or deploy again")
        except ServiceBusError as error:
            return failed(f"{type(error).__name__}: {first_line(error)}", "check the network (AMQP over TLS)")

    def _table(self, name: str) -> Any:
        """A check of reading and writing one table."""

        def examine() -> Finding:
            table = self._connections.open_table(name)
            scope = f"the table {name}"
            try:
                next(iter(table.list_entities(results_per_page=1)), None)
            except ResourceNotFoundError:
                return failed("there is no such table", "deploy again: the app creates none")
            except HttpResponseError as error:
                return failed(f"reading is {answered(error)}", _remedy(error, "Storage Table Data Reader", scope))
            try:
                self._delete_nothing(name)
            except HttpResponseError as error:
                remedy = _remedy(error, "Storage Table Data Contributor", scope)
                return warning(f"may be read; writing is {answered(error)}", f"administrators: {remedy}")
            return ok("may be read and written")

        return examine

    def _delete_nothing(self, name: str) -> None:
        """Of a row that does not exist, under an ETag that none has: only whether it is allowed is found out."""
        self._connections.open_table(name).delete_entity(
            f"upgradectl-doctor-{uuid.uuid4()}", "none", etag=_NO_ETAG, match_condition=MatchConditions.IfNotModified
        )


def _remedy(error: HttpResponseError, role: str, scope: str) -> str:
    return remedy_of_403(error, role, scope) if error.status_code == 403 else "try again later"


def _whose(token: str) -> str:
    """Who the token is for, as far as it can be read."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims.get("upn") or claims.get("unique_name") or f"the application {claims['appid']}")
    except (IndexError, KeyError, AttributeError, ValueError):
        return "signed in"
