"""A message's body -> an `UpgradeRequest`, or the reason why it is none. Pure.

The contract: docs/messages.md. A CloudEvents 1.0 envelope (JSON format, structured mode) is accepted as well.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.documents import levels
from shared.errors import InvalidRequest
from shared.models import UpgradeRequest

MAX_BYTES = 64 * 1024
MAX_LEVELS = 16
_GUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_REQUEST_ID = re.compile(r"[\x21-\x7E]{1,128}")


@dataclass(frozen=True, slots=True)
class Message:
    """What the queue delivered. `enqueued_at`: aware UTC."""

    body: bytes
    message_id: str | None
    sequence_number: int
    enqueued_at: datetime


def parse(message: Message, families: Sequence[str]) -> UpgradeRequest:
    """The request in a message. `families`: the canonical spellings that may be asked for.

    Raises:
        InvalidRequest: the body breaks the contract. The reason never quotes it.
    """
    document = _document(message.body)
    enveloped = "specversion" in document
    request, where = (_data(document), "$.data") if enveloped else (document, "$")
    given = _given_request_id(request, where)
    fallbacks = [document.get("id") if enveloped else None, message.message_id]
    derived = next((text for text in fallbacks if _is_request_id(text)), None)
    return UpgradeRequest(
        customer_id=_customer_id(request, where),
        product_family=_product_family(request, where, families),
        request_id=given or derived or _sequence_id(message),
        requested_at=message.enqueued_at,
    )


def _document(body: bytes) -> dict[str, Any]:
    if len(body) > MAX_BYTES:
        raise InvalidRequest(f"longer than {MAX_BYTES} bytes")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidRequest("not UTF-8", f"byte {error.start}") from None
    try:
        document = json.loads(text, object_pairs_hook=_no_name_twice, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise InvalidRequest("not JSON", f"line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise InvalidRequest(f"deeper than {MAX_LEVELS} levels") from None
    except ValueError:  # an integer of thousands of digits
        raise InvalidRequest("a number is too long") from None
    if not isinstance(document, dict):
        raise InvalidRequest("not a JSON object")
    if levels(document) > MAX_LEVELS:
        raise InvalidRequest(f"deeper than {MAX_LEVELS} levels")
    return document


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise InvalidRequest("a property is named twice")
    return members


def _no_constant(_: str) -> None:
    raise InvalidRequest("NaN and Infinity are not JSON")


def _data(envelope: dict[str, Any]) -> dict[str, Any]:
    if envelope["specversion"] != "1.0":
        raise InvalidRequest("not a CloudEvents 1.0 envelope", "$.specversion")
    data = envelope.get("data")
    if not isinstance(data, dict):
        raise InvalidRequest("the envelope holds no object", "$.data")
    return data


def _customer_id(request: dict[str, Any], where: str) -> str:
    value = _required(request, "customerId", where)
    if not _GUID.fullmatch(value):
        raise InvalidRequest("not a GUID (8-4-4-4-12 hexadecimal digits)", f"{where}.customerId")
    return value.lower()


def _product_family(request: dict[str, Any], where: str, families: Sequence[str]) -> str:
    value = _required(request, "productFamily", where)
    # ASCII only: lower() maps some other letters, such as the Kelvin sign, onto ASCII ones.
    canonical = {family.lower(): family for family in families}
    if not value.isascii() or value.lower() not in canonical:
        raise InvalidRequest(f"not one of: {', '.join(families)}", f"{where}.productFamily")
    return canonical[value.lower()]


def _required(request: dict[str, Any], name: str, where: str) -> str:
    if name not in request:
        raise InvalidRequest("missing", f"{where}.{name}")
    value = request[name]
    if not isinstance(value, str):
        raise InvalidRequest("not a string", f"{where}.{name}")
    return value


def _given_request_id(request: dict[str, Any], where: str) -> str | None:
    value: object = request.get("requestId")
    if value is None:
        return None
    if not isinstance(value, str) or not _REQUEST_ID.fullmatch(value):
        raise InvalidRequest("not 1 to 128 visible ASCII characters", f"{where}.requestId")
    return value


def _is_request_id(value: object) -> bool:
    return isinstance(value, str) and bool(_REQUEST_ID.fullmatch(value))


def _sequence_id(message: Message) -> str:
    """Unique per message of a queue; a queue made anew counts from the start, hence the time."""
    return f"seq-{message.sequence_number}-{round(message.enqueued_at.timestamp() * 1000)}"
