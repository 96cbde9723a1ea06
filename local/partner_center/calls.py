"""The three calls as they arrive: which one it is, whom it concerns, and what is wrong with its form."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from local.partner_center.replies import Reply, error_reply

type Kind = Literal["create", "status", "eligibility"]

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
FAMILY = "Azure"
BAD_REQUEST = 2000


@dataclass(frozen=True)
class Call:
    """`headers` have lower-case names."""

    kind: Kind
    body: bytes
    headers: Mapping[str, str]
    upgrade_id: str | None = None

    @property
    def ms_request_id(self) -> str | None:
        value = self.headers.get("ms-requestid")
        return value.lower() if value else None


@dataclass(frozen=True)
class Subject:
    """Whom a call concerns, as far as that can be read; `problem` is the answer where the call is malformed."""

    customer_id: str | None = None
    family: str | None = None
    problem: Reply | None = None


def subject_of(call: Call) -> Subject:
    if call.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return Subject(problem=error_reply(415, BAD_REQUEST, "The content type must be application/json."))
    if call.ms_request_id and not GUID.fullmatch(call.ms_request_id):
        return Subject(problem=error_reply(400, BAD_REQUEST, "MS-RequestId must be a GUID."))
    try:
        content = json.loads(call.body)
    except ValueError:
        return Subject(problem=error_reply(400, BAD_REQUEST, "The body is no JSON."))
    return _named_in(content)


def _named_in(content: Any) -> Subject:
    if not isinstance(content, dict):
        return Subject(problem=error_reply(400, BAD_REQUEST, "The body is no JSON object."))
    customer_id, family = content.get("customerId"), content.get("productFamily")
    if not isinstance(customer_id, str) or not GUID.fullmatch(customer_id):
        return Subject(problem=error_reply(400, 900118, "The customer id is invalid."))
    if not isinstance(family, str) or family.lower() != FAMILY.lower():
        problem = error_reply(400, 900107, "No catalog item was found for the product family.")
        return Subject(customer_id.lower(), problem=problem)
    return Subject(customer_id.lower(), FAMILY)
