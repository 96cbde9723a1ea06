"""Bodies of messages, and what the contract makes of them."""

import json
from typing import Any

import pytest

from shared.errors import InvalidRequest
from shared.messages import Message, parse
from shared.models import UpgradeRequest
from tests.fakes import CUSTOMER, NOON

ENQUEUED = NOON.replace(microsecond=123456)
FAMILIES = ("Azure", "Azure plan", "Kite")
MINIMAL = {"customerId": CUSTOMER, "productFamily": "Azure"}
EVENT = {"specversion": "1.0", "id": "event-1", "source": "/orders", "type": "upgrade.requested"}


def parse_body(body: bytes, message_id: str | None = "message-1") -> UpgradeRequest:
    return parse(Message(body, message_id, 7, ENQUEUED), FAMILIES)


def parse_document(document: Any, message_id: str | None = "message-1") -> UpgradeRequest:
    return parse_body(json.dumps(document).encode(), message_id)


def refusal(body: bytes) -> tuple[str, str]:
    with pytest.raises(InvalidRequest) as refused:
        parse_body(body)
    return refused.value.reason, refused.value.where


def refusal_of(document: Any) -> tuple[str, str]:
    return refusal(json.dumps(document).encode())
