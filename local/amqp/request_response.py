"""Nodes that answer: a request comes over one link, its response goes back over another one of the same session.

Follows the AMQP Management working draft as far as `$cbs` and `$management` use it: the response's correlation-id is
the request's message-id, and its way back is the link to the request's reply-to.
"""

from collections import deque
from collections.abc import Callable

from local.amqp.errors import PRECONDITION_FAILED, DecodeError
from local.amqp.link import IncomingLink, OutgoingLink
from local.amqp.messages import Request, decode_request, encode_response
from local.amqp.performatives import Accepted, Error, Outcome, Properties, Rejected
from local.amqp.values import ULong

type Response = tuple[dict[object, object], object]
"""Application properties and body."""


class ResponseSource:
    """One per link; a response waits here until the peer has given credit for it."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()

    def respond(self, link: OutgoingLink, message: bytes) -> None:
        self._waiting.append(message)
        self.credit_granted(link)

    def credit_granted(self, link: OutgoingLink) -> None:
        while self._waiting and link.ready:
            link.send(b"response", self._waiting.popleft(), settled=True)

    def settle(self, delivery_tag: bytes, outcome: Outcome) -> Outcome:  # noqa: ARG002 - responses are sent settled
        return outcome

    def detached(self, link: OutgoingLink) -> None: ...


class RequestTarget:
    def __init__(self, respond: Callable[[Request], Response]) -> None:
        self._respond = respond

    def receive(self, message: bytes, message_format: int, link: IncomingLink) -> Outcome:  # noqa: ARG002 - always 0
        try:
            request = decode_request(message)
        except DecodeError as error:
            return Rejected(Error(error.condition, error.description))
        way_back = link.session.reply_link(link.address, request.properties.reply_to)
        if way_back is None or not isinstance(way_back.node, ResponseSource):
            return Rejected(Error(PRECONDITION_FAILED, "There is no link for the response."))
        application_properties, body = self._respond(request)
        message_id = request.properties.message_id
        properties = Properties(correlation_id=ULong(message_id) if isinstance(message_id, int) else message_id)
        way_back.node.respond(way_back, encode_response(properties, application_properties, body))
        return Accepted()
