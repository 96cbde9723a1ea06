"""The rules of `local.faults`: which requests meet which fault, read from JSON."""

import json
import re
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from local.http import Request

type Kind = Literal["answer", "reset", "slow", "html", "kill"]

KINDS = ("answer", "reset", "slow", "html", "kill")


class RuleError(ValueError):
    """These are no rules; the text says why in one sentence."""


@dataclass(frozen=True)
class Rule:
    """`do` meets a request whose method matches as a whole, and in whose path, body and User-Agent something matches.

    `share`: of these, so many at random. `times`: at most, over all rules that ever had this name, so that a rule that
    is put again together with others is not armed again. `when`: before the inner part acts, or after. `delay_s` None:
    a kind's own. `status`, `retry_after`, `code`: of an `answer`. `signal`: of a `kill`.
    """

    name: str
    do: Kind
    method: re.Pattern[str] | None = None
    path: re.Pattern[str] | None = None
    body: re.Pattern[str] | None = None
    agent: re.Pattern[str] | None = None
    share: float = 1
    times: int | None = None
    delay_s: float | None = None
    status: int = 503
    retry_after: str | None = None
    code: str = "ServerBusy"
    signal: int = signal.SIGKILL
    when: str = "before"

    def matches(self, request: Request) -> bool:
        return (
            (self.method is None or bool(self.method.fullmatch(request.method)))
            and _found(self.path, request.path)
            and _found(self.agent, request.headers.get("User-Agent", ""))
            and (self.body is None or _found(self.body, request.body.decode(errors="replace")))
        )


def parse_rules(body: bytes) -> tuple[Rule, ...]:
    """
    Raises:
        RuleError
    """
    try:
        documents = json.loads(body)
    except ValueError as error:
        raise RuleError(f"This is no JSON: {error}.") from error
    if not isinstance(documents, list):
        raise RuleError("The rules are not a list.")
    return tuple(_rule(document) for document in documents)


def _rule(document: Any) -> Rule:
    if not isinstance(document, dict):
        raise RuleError(f"A rule is an object, not {document!r}.")
    given = {field: value for field, value in document.items() if value is not None}
    if unknown := set(given) - set(_FIELDS):
        raise RuleError(f"A rule has no {sorted(unknown)[0]}.")
    if missing := {"name", "do"} - set(given):
        raise RuleError(f"A rule has a {sorted(missing)[0]}.")
    return Rule(**{field: _value(field, value) for field, value in given.items()})


def _value(field: str, value: Any) -> Any:
    read, expected = _FIELDS[field]
    try:
        return read(value)
    except (ValueError, TypeError, re.error) as error:
        raise RuleError(f"{field} is {expected}, not {value!r}.") from error


def _found(pattern: re.Pattern[str] | None, text: str) -> bool:
    return pattern is None or bool(pattern.search(text))


def _checked(kind: type | tuple[type, ...], holds: Callable[[Any], bool]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, kind) or not holds(value):
            raise ValueError(value)
        return value

    return read


_PATTERN = (re.compile, "a regular expression")
_TEXT = (_checked(str, bool), "a text")
_FIELDS: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    "name": _TEXT,
    "do": (_checked(str, KINDS.__contains__), f"one of {', '.join(KINDS)}"),
    "method": _PATTERN,
    "path": _PATTERN,
    "body": _PATTERN,
    "agent": _PATTERN,
    "share": (_checked((int, float), lambda share: 0 <= share <= 1), "a number from 0 to 1"),
    "times": (_checked(int, lambda times: times >= 1), "a whole number from 1"),
    "delay_s": (_checked((int, float), lambda delay_s: 0 <= delay_s <= 600), "a number of seconds up to 600"),
    "status": (_checked(int, lambda status: 400 <= status <= 599), "an error's HTTP status"),
    "retry_after": _TEXT,
    "code": _TEXT,
    "signal": (_checked(int, signal.valid_signals().__contains__), "the number of a signal"),
    "when": (_checked(str, ("before", "after").__contains__), "before or after"),
}
