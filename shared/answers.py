"""What Partner Center's answers say. Pure: HTTP status, headers and body in; meaning, or an error of `errors`, out.

Answers are input from outside: whatever cannot be understood is "outcome unknown", never a crash and never a verdict.
Source: the reference pages "Create a product upgrade entity", "Get the status of a product upgrade", "Get eligibility
for product upgrade" and "API throttling guidance" of Microsoft's Partner Center developer documentation.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from shared import errors
from shared.documents import levels
from shared.models import Status
from shared.refusals import BY_CODE, Kind
from shared.verdicts import has_failed, verdict

_MAX_LEVELS = 32  # documented answers have 4
MAX_TEXT = 4096  # characters kept of any text of the service's
_GUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_GUID_IN_TEXT = re.compile(rf"(?<![0-9a-z-]){_GUID}(?![0-9a-z-])", re.IGNORECASE | re.ASCII)
_UPGRADE_PATH = re.compile(rf"(?:^|/)productupgrades/({_GUID})(?:/|$)", re.IGNORECASE | re.ASCII)
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. `headers`: case-insensitive. `body`: as it came, decompressed. `resent`: asked for twice."""

    http_status: int
    headers: Mapping[str, str]
    body: bytes
    resent: bool = False

    def document(self) -> dict[str, Any] | None:
        """The JSON object in the body; None where it holds anything else."""
        try:
            document = json.loads(self.body.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            return None
        understandable = isinstance(document, dict) and levels(document) <= _MAX_LEVELS
        return document if understandable else None


@dataclass(frozen=True, slots=True)
class CreatedUpgrade:
    """The upgrade that a create call led to. `adopted`: it existed before."""

    upgrade_id: str
    adopted: bool = False


@dataclass(frozen=True, slots=True)
class UpgradeStatus:
    """What a status call said. `end`: None while not final. `line_items`: texts cut, otherwise as they came."""

    server_status: str
    end: Status | None
    line_items: tuple[Mapping[str, Any], ...] = ()
    line_items_failed: int = 0
    error_code: str | None = None
    error_description: str | None = None


@dataclass(frozen=True, slots=True)
class Eligibility:
    """What an eligibility call said. `upgrade_id`: an upgrade of this family is in place already."""

    is_eligible: bool
    upgrade_id: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class InPlace:
    """A create call was refused because an upgrade exists; `upgrade_ids`: GUIDs in the text, not confirmed."""

    upgrade_ids: tuple[str, ...]
    refusal: errors.Refused


def created_upgrade_id(answer: Answer, api_host: str) -> str | InPlace | None:
    """Of a create call: the new upgrade's id, None where a 2xx does not tell it, or what is in place.

    Raises:
        CallFailed: any other answer.
    """
    if 200 <= answer.http_status < 300:
        return _id_in_location(answer.headers.get("Location", ""), api_host)
    document = answer.document() or {}
    refusal = BY_CODE.get(_error_code(document))
    if refusal and refusal.kind is Kind.IN_PLACE and 400 <= answer.http_status < 500:
        text = _error_text(document)
        ids = tuple(_GUID_IN_TEXT.findall(text))
        return InPlace(ids, errors.RefusedForNow(text, code=refusal.code, http_status=answer.http_status))
    raise _refusal(answer)


def upgrade_status(answer: Answer, upgrade_id: str) -> UpgradeStatus:
    """Of a status call.

    Raises:
        CallFailed: the answer is none, or of another upgrade.
    """
    document = _expect_document(answer)
    answered_id = document.get("id")
    if isinstance(answered_id, str) and answered_id.lower() != upgrade_id.lower():
        raise errors.OutcomeUnknown("the answer is of another upgrade", http_status=answer.http_status)
    items = document.get("lineItems")
    line_items = tuple(_cut(item) for item in items if isinstance(item, dict)) if isinstance(items, list) else ()
    failed = [item for item in line_items if has_failed(item)]
    raw = document.get("status")
    code, description = _first_error([document, *failed])
    return UpgradeStatus(
        server_status=_text(raw),
        end=verdict(raw, line_items),
        line_items=line_items,
        line_items_failed=len(failed),
        error_code=code,
        error_description=description,
    )


def eligibility(answer: Answer) -> Eligibility:
    """Of an eligibility call.

    Raises:
        CallFailed: the answer is none.
    """
    document = _expect_document(answer)
    upgrade_id = document.get("upgradeId") or None
    if upgrade_id is not None and not (isinstance(upgrade_id, str) and re.fullmatch(_GUID, upgrade_id.lower())):
        raise errors.OutcomeUnknown("the upgrade id is not a GUID", http_status=answer.http_status)
    if upgrade_id is None and not isinstance(document.get("isEligible"), bool):
        raise errors.OutcomeUnknown("the answer does not tell", http_status=answer.http_status)
    return Eligibility(
        document.get("isEligible") is True, upgrade_id and upgrade_id.lower(), _text(document.get("reason")) or None
    )


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """Seconds from now, never negative; None where the header is missing or makes no sense."""
    text = (header or "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            date = parsedate_to_datetime(text)
            # An HTTP-date is GMT, also in the form that does not say so (RFC 9110, 5.6.7).
            seconds = (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds()
        except (ValueError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def is_access_denied(answer: Answer) -> bool:
    """Whether our own access is refused, by the code."""
    refusal = BY_CODE.get(_error_code(answer.document() or {})) if answer.http_status >= 400 else None
    return refusal is not None and refusal.kind is Kind.ACCESS


def throttled(answer: Answer, now: datetime) -> errors.Throttled:
    """A 429, whose body may be the gateway's."""
    document = answer.document() or {}
    wait_s = retry_after_s(answer.headers.get("Retry-After"), now)
    return errors.Throttled(_error_text(document), code=_error_code(document), retry_after_s=wait_s)


def _expect_document(answer: Answer) -> dict[str, Any]:
    if not 200 <= answer.http_status < 300:
        raise _refusal(answer)
    document = answer.document()
    if document is None:
        raise errors.OutcomeUnknown("the answer is not a JSON object", http_status=answer.http_status)
    return document


def _refusal(answer: Answer) -> errors.CallFailed:
    """What an answer that is no 2xx and no 429 means."""
    document = answer.document()
    status, code, text = answer.http_status, _error_code(document or {}), _error_text(document or {})
    kind = BY_CODE[code].kind if code in BY_CODE else None
    if status == 401 and kind is not Kind.ACCESS:
        return errors.Unauthorized(text, code=code, http_status=status)
    if not 400 <= status < 500 or document is None:
        return errors.OutcomeUnknown(text, code=code, http_status=status)
    if kind is Kind.ACCESS:
        return errors.AccessDenied(text, code=code, http_status=status)
    if kind is Kind.FOR_GOOD:
        return errors.RefusedForGood(text, code=code, http_status=status)
    if kind is Kind.NOT_FOUND or (status == 404 and kind is None):
        return errors.UpgradeNotFound(text, code=code, http_status=status)
    return errors.RefusedForNow(text, code=code, http_status=status, understood=kind is Kind.FOR_NOW)


def _id_in_location(location: str, api_host: str) -> str | None:
    try:
        parts = urlsplit(location.strip())
    except ValueError:
        return None
    if parts.netloc and parts.netloc.lower() != api_host.lower():
        return None
    match = _UPGRADE_PATH.search(parts.path)
    return match[1].lower() if match else None


def _error_code(document: Mapping[str, Any]) -> str:
    """A number or a word; whatever else stands there is a text of the service's, and no code."""
    code = document.get("code")
    text = str(code) if isinstance(code, str | int) and not isinstance(code, bool) else ""
    return text if _CODE.fullmatch(text) else ""


def _error_text(document: Mapping[str, Any]) -> str:
    """`description` by the documentation, `message` in the SDKs and from the gateway."""
    return _text(document.get("description")) or _text(document.get("message"))


def _first_error(documents: list[Any]) -> tuple[str | None, str | None]:
    for document in documents:
        details = document.get("errorDetails")
        if isinstance(details, dict) and (_error_code(details) or _error_text(details)):
            return _error_code(details) or None, _error_text(details) or None
    return None, None


def _text(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    # JSON can escape half a surrogate pair, which has no UTF-8 and so cannot be stored.
    return text[:MAX_TEXT].encode("utf-8", "replace").decode()


def _cut(value: Any) -> Any:
    """The same JSON value with every text cut."""
    if isinstance(value, str):
        return value[:MAX_TEXT]
    if isinstance(value, dict):
        return {_cut(name): _cut(item) for name, item in value.items()}
    return [_cut(item) for item in value] if isinstance(value, list) else value
