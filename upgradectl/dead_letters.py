"""What a dead letter is to us: a request that the system could not keep, or no request, and why."""

import base64
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from shared.errors import InvalidRequest
from shared.messages import Message, parse
from shared.models import UpgradeRequest
from upgradectl.dead_letter_queue import DeadLetter, DeadLetterQueue
from upgradectl.errors import ExitCode

SYSTEM_TROUBLE = "system trouble, send again"
_FAMILIES_REMEDY = "if PRODUCT_FAMILIES allows it by now: --set PRODUCT_FAMILIES=..."


class Fate(StrEnum):
    """What became of a dead letter that a command was told to see to."""

    SENT = "sent again"
    DISCARDED = "discarded"
    LEFT = "left"  # done, but its lock was lost before it could be removed
    REFUSED = "refused"
    ABSENT = "absent"
    HELD = "held"
    FOUND = "found"  # nothing was done


@dataclass(frozen=True, slots=True)
class Outcome:
    """`detail`: for people. `request_id`: of what was sent."""

    number: int
    fate: Fate
    detail: str = ""
    request_id: str | None = None


def request_in(letter: DeadLetter, families: Sequence[str]) -> UpgradeRequest:
    """As the app would read it.

    Raises:
        InvalidRequest: it is none.
    """
    if not letter.is_data:
        raise InvalidRequest("an AMQP value or sequence, where bytes are expected")
    return parse(message_of(letter), families)


def message_of(letter: DeadLetter, body: bytes | None = None) -> Message:
    """`body`: instead of its own."""
    own = letter.body if body is None else body
    return Message(own, letter.message_id, letter.number, letter.enqueued_at)


def reason_of(error: InvalidRequest) -> str:
    return error.reason if error.where == "$" else f"{error.where}: {error.reason}"


def remedy_of(error: InvalidRequest) -> str:
    return _FAMILIES_REMEDY if error.where.endswith(".productFamily") and "one of" in error.reason else ""


def summary(letter: DeadLetter, families: Sequence[str]) -> dict[str, Any]:
    """What may be shown of any dead letter: not its body, which may hold a customer's data."""
    try:
        request_in(letter, families)
    except InvalidRequest as error:
        reason, is_valid = reason_of(error), False
    else:
        reason, is_valid = SYSTEM_TROUBLE, True
    return {
        "number": letter.number,
        "enqueued_at": letter.enqueued_at,
        "delivery_count": letter.delivery_count,
        "broker_reason": letter.broker_reason,
        "message_id": letter.message_id,
        "valid": is_valid,
        "reason": reason,
    }


def everything(letter: DeadLetter, families: Sequence[str]) -> dict[str, Any]:
    """A dead letter with its body: text where it is UTF-8, else base64."""
    document = summary(letter, families)
    if document["valid"]:
        request = request_in(letter, families)
        names = {"customer_id": request.customer_id, "product_family": request.product_family}
        document["request"] = {**names, "request_id": request.request_id}
    text = text_of(letter.body)
    return {
        **document,
        "broker_description": letter.broker_description,
        "content_type": letter.content_type,
        "correlation_id": letter.correlation_id,
        "subject": letter.subject,
        "application_properties": dict(letter.properties or {}),
        "body_encoding": "base64" if text is None else "utf-8",
        "body": base64.b64encode(letter.body).decode() if text is None else text,
    }


def text_of(body: bytes) -> str | None:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def visible(text: str) -> str:
    """One line, in which nothing can move a terminal's cursor: a sender chose it."""
    return "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in text)


def chosen(letters: DeadLetterQueue, numbers: Collection[int]) -> Iterator[DeadLetter | Outcome]:
    """Each of the numbers, once: the dead letter, or that there is none."""
    for number in dict.fromkeys(numbers):
        yield letters.peek(number) or Outcome(number, Fate.ABSENT, "there is no such dead letter")


def not_taken(letters: DeadLetterQueue, numbers: Collection[int]) -> Iterator[Outcome]:
    """What became of those that could not be had."""
    for number in numbers:
        if letters.peek(number):
            yield Outcome(number, Fate.HELD, "is being looked at by somebody else; try again later")
        else:
            yield Outcome(number, Fate.ABSENT, "somebody else has removed it meanwhile")


def exit_code(fates: Collection[Fate]) -> ExitCode:
    if Fate.HELD in fates or Fate.LEFT in fates:
        return ExitCode.FAILED
    return ExitCode.NOT_OK if Fate.REFUSED in fates or Fate.ABSENT in fates else ExitCode.OK
