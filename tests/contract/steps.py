"""Steps of a scenario: how the fake Partner Center answers a call, or all calls from then on."""

from typing import Any

from shared.refusals import TABLE

type Step = dict[str, Any]

TEXT = "The upgrade is {id}."
PAGE = "<html><body>Blocked</body></html>"


def refusal(http: int, code: int | str) -> Step:
    return {"do": "refuse", "http": http, "code": code, "description": TEXT}


def documented(code: str) -> Step:
    """As the table has it."""
    (row,) = (row for row in TABLE if row.code == code)
    return refusal(row.http_status, int(code))


def answer(http: int, text: str, content_type: str = "application/json") -> Step:
    return {"do": "answer", "http": http, "text": text, "headers": {"Content-Type": content_type}}


def forever(step: Step) -> Step:
    return step | {"repeat": True}


def code_of(step: Step) -> str:
    """What a row says about the answer: its code, else its HTTP status."""
    return str(step.get("code") or step.get("http"))
