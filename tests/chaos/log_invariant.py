"""Invariant 4: no secret, no token and no message body in any log line."""

import json
import re
from collections.abc import Iterator
from urllib.parse import quote

from tests.chaos.record import Record
from tests.chaos.violation import Violation, at_most

INVARIANT = 4
_MOST_LINES, _LINE_CHARACTERS = 10, 80
_SHORTEST_SECRET = 8
_PATTERNS = {
    "json_web_token": r"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    "refresh_token": r"1\.[A-Za-z0-9_-]{60,}",
    "authorization_header": r"Bearer [A-Za-z0-9._-]{20,}",
}


def check(record: Record) -> list[Violation]:
    return at_most(_MOST_LINES, _leaks(record))


def _leaks(record: Record) -> Iterator[Violation]:
    pattern = _combined(record)
    for number, line in enumerate(record.log_lines, start=1):
        if found := pattern.search(line):
            kind = (found.lastgroup or "").replace("_", " ")
            masked = pattern.sub("***", line)[:_LINE_CHARACTERS]
            yield Violation(INVARIANT, f"log line {number} holds a {kind}: {masked}")


def _combined(record: Record) -> re.Pattern[str]:
    """One expression for all: a campaign writes a hundred thousand lines."""
    tokens = re.compile("|".join(_PATTERNS.values()))
    # Hundreds of refresh tokens, each by itself, would take minutes; their form is enough.
    secrets = [text for text in record.secrets if len(text) >= _SHORTEST_SECRET and not tokens.fullmatch(text)]
    # The longest first: of two that begin alike all of the longer one is masked.
    words = sorted({form for secret in secrets for form in _forms(secret)}, key=lambda word: (-len(word), word))
    patterns = {"secret": "|".join(map(re.escape, words)), "message_body": re.escape(record.canary), **_PATTERNS}
    return re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in patterns.items() if pattern))


def _forms(secret: str) -> set[str]:
    """As it is, in JSON, in JSON within JSON (as log lines are), and in a form body."""
    once = json.dumps(secret)[1:-1]
    return {secret, once, json.dumps(once)[1:-1], quote(secret, safe="")}
