"""The vendor's language service for KQL (`@kusto/language-service-next`), and what our own convention adds to it.

The service knows tables, columns, functions and types. Fields of JSON are beyond it: so every query reads events by one
prelude, and their fields by `fields.name` with a conversion around it. docs/telemetry.md says how a query is written.
"""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.operations.queries import APP_TRACES

KUSTO = Path(__file__).parent / "kusto"
PRELUDE = """\
AppTraces
| extend event = tostring(split(Message, " ")[0]), fields = parse_json(substring(Message, indexof(Message, " ") + 1))
"""
_EVENTS = re.compile(r"\| where event (?:== (\"[^\"]+\")|in \(([^)]+)\))\n")
_CONVERTED = re.compile(r"\b(?:tostring|toint|tolong|todouble|tobool|todatetime)\(fields\.(\w+)\)")


@dataclass(frozen=True)
class EventsRead:
    """What a query reads of the log: events, and fields of theirs."""

    events: frozenset[str]
    fields: frozenset[str]


def diagnostics(queries: Mapping[str, str]) -> dict[str, list[str]]:
    """What the language service has against each query: nothing, where it is right."""
    schema = "(" + ", ".join(f"{name}: {kind}" for name, kind in APP_TRACES.items()) + ")"
    asked = json.dumps({"tables": {"AppTraces": schema}, "queries": dict(queries)})
    done = subprocess.run(
        ["node", "analyse.js"], cwd=KUSTO, input=asked, capture_output=True, text=True, check=False, timeout=50
    )
    assert done.returncode == 0, f"has `make setup` run? {done.stderr}"
    said: dict[str, list[str]] = json.loads(done.stdout)
    return said


def events_read(query: str) -> EventsRead:
    """The events and fields that a query names.

    Raises:
        ValueError: it is not written by the convention, so that this cannot be told.
    """
    code = "".join(line for line in query.splitlines(keepends=True) if not line.startswith("//"))
    _, prelude, rest = code.partition(PRELUDE)
    found = _EVENTS.match(rest)
    if not code.startswith(PRELUDE) or not prelude or not found:
        raise ValueError("it does not begin with the prelude and the events that it reads")
    if problem := next(_unreadable(rest), None):
        raise ValueError(problem)
    named = re.findall(r'"([^"]+)"', found[1] or found[2])
    return EventsRead(frozenset(named), frozenset(_CONVERTED.findall(rest)))


def _unreadable(rest: str) -> Iterator[str]:
    """What would hide an event or a field, or the rule's window, from the checks."""
    if len(re.findall(r"\bfields\b", rest)) != len(_CONVERTED.findall(rest)):
        yield "a field of an event is read without a conversion, or in another form than fields.name"
    if re.search(r"\bMessage\b(?! *(,|\n|$))", rest):
        yield "the text of a line is looked into"
    for word in ("parse_json", "dynamic", "todynamic", "extract", "parse", "now", "ago"):
        if re.search(rf"\b{word}\b", rest):
            yield f"{word} is the prelude's business, or the rule's"
