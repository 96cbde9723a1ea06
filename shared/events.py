"""The log: one line per transition, the event's name and one JSON object. docs/events.md lists them all.

No caller passes a token, a secret, an authorization header, a message body or a service's free text.
"""

import json
import logging
from datetime import datetime

from shared.models import InFlightUpgrade, UpgradeRequest

_log = logging.getLogger("upgrades")


def emit(level: int, event: str, **fields: object) -> None:
    """Logs one event. Fields that are None are left out; instants become ISO 8601."""
    present = {name: value for name, value in fields.items() if value is not None}
    _log.log(level, "%s %s", event, json.dumps(present, default=_as_text))


def about(subject: UpgradeRequest | InFlightUpgrade) -> dict[str, str | None]:
    """The fields that every `upgrade.*` event carries."""
    return {
        "customer_id": subject.customer_id,
        "product_family": subject.product_family,
        "request_id": subject.request_id,
        "correlation_id": subject.correlation_id,
        "upgrade_id": subject.upgrade_id if isinstance(subject, InFlightUpgrade) else None,
    }


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
