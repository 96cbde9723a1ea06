"""Dead letters that go to the queue once more: the same request, under a new message id.

A dead letter is removed only after its message has arrived. Whoever is killed in between sends it a second time, with
the same request id: the app then finds that it has this request already.
"""

import json
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from azure.servicebus import ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusError

from shared.errors import InvalidRequest
from shared.messages import Message, parse
from shared.models import UpgradeRequest
from upgradectl.dead_letter_queue import DeadLetter, DeadLetterQueue
from upgradectl.dead_letters import (
    Fate,
    Outcome,
    chosen,
    message_of,
    not_taken,
    reason_of,
    remedy_of,
    request_in,
)
from upgradectl.request_id_in_body import with_request_id
from upgradectl.service_bus import Queue

_NO_TIME = datetime.fromtimestamp(0, UTC)
_NO_ID = "seq-0-0"  # what the contract makes of a message without any id, numbered 0 and of no time
_NO_CUSTOMER = "00000000-0000-0000-0000-000000000000"

type Send = Callable[[ServiceBusMessage], None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """The body to send, and the request that the app will find in it, under whatever message id."""

    body: bytes
    request: UpgradeRequest


def _new_id() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Resubmission:
    """`send`: returns once the message has arrived. `mended`: a body instead of a dead letter's own."""

    letters: DeadLetterQueue
    send: Send
    families: Sequence[str]
    mended: bytes | None = None
    new_id: Callable[[], str] = _new_id

    def refused(self, numbers: Collection[int]) -> Iterator[Outcome]:
        """Those of `numbers` which cannot be sent, before anything is."""
        for found in chosen(self.letters, numbers):
            if isinstance(found, Outcome):
                yield found
                continue
            try:
                prepared(found, self.families, self.mended)
            except InvalidRequest as error:
                detail = "; ".join(filter(None, (reason_of(error), remedy_of(error))))
                yield Outcome(found.number, Fate.REFUSED, detail)

    def valid(self) -> Iterator[int]:
        """The numbers of all that can be sent as they are."""
        for letter in self.letters.peek_all():
            with suppress(InvalidRequest):
                prepared(letter, self.families)
                yield letter.number

    def send_again(self, numbers: Collection[int], is_over: Callable[[], bool]) -> Iterator[Outcome]:
        """Those that could be prepared. Where it `is_over`, those that it did not come to are left out.

        Raises:
            ServiceBusError: the broker fails; what had been sent until then was given out.
        """
        left = dict.fromkeys(numbers)
        with closing(self.letters.take(numbers, is_over)) as batches:
            for batch in batches:
                for letter in batch:
                    yield from self._send_again(letter)
                    del left[letter.number]
                    if is_over():
                        return
        if not is_over():
            yield from not_taken(self.letters, left)

    def _send_again(self, letter: DeadLetter) -> Iterator[Outcome]:
        ready = prepared(letter, self.families, self.mended)
        self.send(_again(letter, ready.body, self.new_id()))
        detail = f"{ready.request.customer_id} {ready.request.product_family}"
        try:
            is_removed = self.letters.complete(letter)
        except ServiceBusError:
            why = "sent again, but whether it was removed nobody knows; a second time does no harm"
            yield Outcome(letter.number, Fate.LEFT, why, ready.request.request_id)
            raise
        if is_removed:
            yield Outcome(letter.number, Fate.SENT, detail, ready.request.request_id)
            return
        why = "sent again, but its lock was lost before it could be removed; a second time does no harm"
        yield Outcome(letter.number, Fate.LEFT, why, ready.request.request_id)


def prepared(letter: DeadLetter, families: Sequence[str], mended: bytes | None = None) -> Prepared:
    """What to send so that it stays the request that it was.

    Raises:
        InvalidRequest: the body, or the mended one, is no request.
    """
    if mended is None:
        request, body = request_in(letter, families), letter.body
    else:
        request, body = parse(message_of(letter, mended), families), mended
    if _in_itself(body, families).request_id != _NO_ID:
        return Prepared(body, request)
    if mended is not None:
        request = replace(request, request_id=_original_id(letter, families) or request.request_id)
    body = with_request_id(body, request.request_id)
    return Prepared(body, replace(_in_itself(body, families), requested_at=request.requested_at))


@contextmanager
def sending_to(queue: Queue) -> Iterator[Send]:
    """Opens a link for sending. Needs Data Sender.

    Raises:
        CommandError: of opening and of sending; whether the message arrived, nobody knows.
    """
    with ExitStack() as stack:
        with queue.in_words("Data Sender"):
            sender = stack.enter_context(queue.client.get_queue_sender(queue.name))

        def send(message: ServiceBusMessage) -> None:
            with queue.in_words("Data Sender"):
                sender.send_messages(message)

        yield send


def _in_itself(body: bytes, families: Sequence[str]) -> UpgradeRequest:
    """What a body says without the message around it."""
    return parse(Message(body, None, 0, _NO_TIME), families)


def _original_id(letter: DeadLetter, families: Sequence[str]) -> str | None:
    """The request id that a body which is no request has nevertheless: as if the rest of it were right."""
    try:
        document = json.loads(letter.body)
        request = document["data"] if "specversion" in document else document
        request |= {"customerId": _NO_CUSTOMER, "productFamily": families[0]}
        return parse(message_of(letter, json.dumps(document).encode()), families).request_id
    except (ValueError, TypeError, KeyError, RecursionError, InvalidRequest):
        return None


def _again(letter: DeadLetter, body: bytes, message_id: str) -> ServiceBusMessage:
    return ServiceBusMessage(
        body,
        message_id=message_id,
        content_type=letter.content_type,
        correlation_id=letter.correlation_id,
        subject=letter.subject,
        application_properties=dict(letter.properties or {}),  # type: ignore[arg-type]  # as they arrived
    )
