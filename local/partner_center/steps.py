"""What can become of one call: a `Step`, and the kinds of step that a scenario is written in.

In JSON a step is `{"do": "refuse", "http": 403, ...}`: the name of a function below and its arguments, and `times` (how
many calls in a row; default 1) or `repeat: true` (all from here on). Texts may hold the placeholders `{id}` (of the
customer's upgrade), `{customerId}`, `{api}` (the base URL) and `{date+N}` (the HTTP-date N seconds from now).
"""

import base64 as base64_encoding
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from local.partner_center.replies import HTML, UNAVAILABLE_PAGE, ErrorCode, Reply, Stream, error_reply, throttled

type When = Literal["before", "after"]


class ScenarioError(ValueError):
    """A scenario that cannot be played; the text says why."""


@dataclass(frozen=True)
class Word:
    """A status as it is to be sent, of any JSON type."""

    value: object


@dataclass(frozen=True, kw_only=True)
class Step:
    """In the order in which it happens: wait, lose the upgrade, let the service act, say something else, wait, send."""

    times: int | None = 1  # None: for good
    wait_s: float = 0
    vanishes: bool = False
    acts: bool = True
    location: str | None = "productUpgrades/{id}"
    body: str = ""  # of a 202
    word: Word | None = None
    reply: Reply | None = None
    late_s: float = 0
    cut: bool = False
    stream: Stream | None = None


def normal() -> Step:
    return Step()


def refuse(http: int, code: ErrorCode, description: str = "The request was refused.") -> Step:
    """The service's own refusal; it is remembered like any answer."""
    return Step(acts=False, reply=error_reply(http, code, description))


def unauthorized(code: ErrorCode = 400, description: str = "The request is not authorized.") -> Step:
    return refuse(401, code, description)


def throttle(retry_after: int | str | None = None) -> Step:
    """A 429 with this Retry-After, whatever it says; None: without one."""
    return Step(acts=False, reply=throttled(None if retry_after is None else str(retry_after)))


def error(http: int = 503, body: Literal["json", "html", "empty"] = "json") -> Step:
    replies = {
        "json": error_reply(http, 800003, "An unexpected error occurred."),
        "html": Reply(http, UNAVAILABLE_PAGE, HTML, from_service=False),
        "empty": Reply(http, from_service=False),
    }
    return Step(acts=False, reply=replies[body])


def slow(seconds: float, when: When = "before", then: Step | None = None) -> Step:
    """Waits before acting, or acts and answers late; what happens otherwise says `then`."""
    moments = {"before": "wait_s", "after": "late_s"}
    fields: Any = {moments[when]: float(seconds)}
    return replace(then or Step(), **fields)


def cut(when: When) -> Step:
    """Resets the connection without an answer, before or after the service acted."""
    return Step(acts={"before": False, "after": True}[when], cut=True)


def drip(interval_s: float = 0.2) -> Step:
    """Acts and sends the headers, then a byte now and then, forever."""
    return Step(stream=Stream(b" ", float(interval_s)))


def endless() -> Step:
    """Acts and sends the headers, then a body without an end, as fast as it is read."""
    return Step(stream=Stream(b" " * 65_536, 0))


def answer(
    http: int = 200, headers: Mapping[str, str] | None = None, *, text: str = "", base64: str = "", acts: bool = False
) -> Step:
    """Any answer at all, from something between client and service (so it is not remembered; what `acts` led to is)."""
    body = base64_encoding.b64decode(base64, validate=True) if base64 else text.encode()
    return Step(acts=acts, reply=Reply(http, body, headers or {}, from_service=False))


def redirect(to: str = "{api}/elsewhere", http: int = 307) -> Step:
    return answer(http, {"Location": to})


def location(value: str | None, body: str = "") -> Step:
    """Creates the upgrade; the 202 carries this Location (None: none at all), and this body."""
    return Step(location=value, body=body)


def status_word(word: object) -> Step:
    """Answers a status call with this instead of the true status; the upgrade does not advance."""
    return Step(word=Word(word))


def vanish() -> Step:
    """A status call finds that the upgrade is gone for good."""
    return Step(vanishes=True)


def forever(step: Step) -> Step:
    return replace(step, times=None)


def times(count: int, step: Step) -> Step:
    return replace(step, times=count)


_KINDS: dict[str, Callable[..., Step]] = {
    function.__name__: function
    for function in (normal, refuse, unauthorized, throttle, error, slow, cut, drip, endless, answer, redirect)
}
KINDS: Mapping[str, Mapping[str, Callable[..., Step]]] = {
    "create": _KINDS | {"location": location},
    "status": _KINDS | {"status_word": status_word, "vanish": vanish},
    "eligibility": _KINDS,
}


def step_from(document: Mapping[str, Any], call: str) -> Step:
    """The step that a JSON object describes, for that kind of call.

    Raises:
        ScenarioError: it describes none.
    """
    arguments = dict(document)
    count = None if arguments.pop("repeat", False) else arguments.pop("times", 1)
    name = arguments.pop("do", None)
    kind = KINDS[call].get(name) if isinstance(name, str) else None
    if kind is None:
        raise ScenarioError(f"{name!r} is no step of a {call} call")
    if "then" in arguments:
        arguments["then"] = step_from(arguments["then"], call)
    try:
        return replace(kind(**arguments), times=None if count is None else int(count))
    except (TypeError, ValueError, KeyError) as error:
        raise ScenarioError(f"{name}: {error}") from error


def step_at(steps: tuple[Step, ...], consumed: int) -> Step:
    """The step of the next call, after as many calls have consumed one; past the last it is a normal one."""
    for step in steps:
        if step.times is None or consumed < step.times:
            return step
        consumed -= step.times
    return normal()
