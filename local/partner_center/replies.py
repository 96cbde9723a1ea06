"""What the fake answers, and how it gets onto the wire ("Partner Center error codes", "API throttling guidance")."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

type ErrorCode = int | str

HTML = {"Content-Type": "text/html"}
UNAVAILABLE_PAGE = b"<html><head><title>503</title></head><body><h1>Service unavailable</h1></body></html>"


@dataclass(frozen=True)
class Stream:
    """A body without an end: `chunk` after `chunk`, until the client goes away."""

    chunk: bytes
    interval_s: float


@dataclass(frozen=True)
class Reply:
    """One answer. `from_service`: the service itself said it, not something on the way to it."""

    http: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    code: ErrorCode | None = None
    from_service: bool = True
    repeated: bool = False
    late_s: float = 0
    cut: bool = False
    stream: Stream | None = None

    @property
    def remembered(self) -> bool:
        """Whether the same MS-RequestId gets it again: only what was processed ("Partner Center REST headers")."""
        return self.from_service and self.http not in (401, 429) and self.http < 500


CUT = Reply(0, from_service=False, cut=True)


def json_reply(http: int, content: object, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(http, json.dumps(content).encode(), {"Content-Type": "application/json", **(headers or {})})


def error_reply(http: int, code: ErrorCode, description: str) -> Reply:
    content: dict[str, object] = {"code": code, "description": description, "data": [], "source": "PartnerApi"}
    return replace(json_reply(http, content), code=code)


def throttled(retry_after: str | None) -> Reply:
    """The gateway's own form of an answer; without a number of seconds its text names none."""
    again = f" Try again in {retry_after} seconds." if retry_after and retry_after.isdigit() else ""
    content: dict[str, object] = {"statusCode": 429, "message": f"Rate limit is exceeded.{again}"}
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return replace(json_reply(429, content, headers), from_service=False)


def html_reply(http: int, page: bytes = UNAVAILABLE_PAGE) -> Reply:
    return Reply(http, page, HTML, from_service=False)


def filled(reply: Reply, facts: Mapping[str, str], now_s: float) -> Reply:
    """The reply with its placeholders replaced: `{name}` by a fact, `{date+N}` by the HTTP-date N seconds from now."""
    headers = {name: _filled(value, facts, now_s) for name, value in reply.headers.items()}
    if b"{" not in reply.body:
        return replace(reply, headers=headers)
    # Latin-1 keeps every byte as it is, whatever the body is encoded in.
    body = _filled(reply.body.decode("latin-1"), facts, now_s).encode("latin-1")
    return replace(reply, headers=headers, body=body)


def _filled(text: str, facts: Mapping[str, str], now_s: float) -> str:
    for name, value in facts.items():
        text = text.replace(f"{{{name}}}", value)
    return re.sub(r"\{date\+(\d+)\}", lambda found: _http_date(now_s + int(found[1])), text)


def _http_date(at_s: float) -> str:
    # HTTP-dates have whole seconds: rounded up, so that waiting for it is always long enough.
    at = datetime.fromtimestamp(at_s, UTC) + timedelta(seconds=1)
    return format_datetime(at.replace(microsecond=0), usegmt=True)
