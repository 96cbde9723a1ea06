"""`<queue>/$management` and `$cbs` (the service's "AMQP request-response-based operations", "CBS-based authorization").

What is not in `_OPERATIONS` (scheduling, deferred messages, sessions, rules) is answered as not implemented.
"""

from collections.abc import Callable
from itertools import accumulate
from typing import cast
from uuid import UUID

from local.amqp.errors import NOT_ALLOWED, NOT_IMPLEMENTED, AmqpError
from local.amqp.link import MAX_MESSAGE_SIZE
from local.amqp.messages import Request
from local.amqp.request_response import Response
from local.amqp.values import Array, Int, Symbol, Timestamp
from local.service_bus.envelope import dead_letter_properties, pack
from local.service_bus.queue import CannotDeadLetterError, LockLostError, Queue
from local.service_bus.queue_node import LOCK_LOST_DESCRIPTION, MESSAGE_LOCK_LOST, QueueNode

ARGUMENT_ERROR = "com.microsoft:argument-error"
_STATUS = {MESSAGE_LOCK_LOST: 410, NOT_ALLOWED: 400, ARGUMENT_ERROR: 400, NOT_IMPLEMENTED: 501}

type _Body = dict[object, object]
type _Operation = Callable[[Queue, _Body], _Body]


def put_token(_: Request) -> Response:
    """Any token will do: the broker is for one machine."""
    return {"status-code": Int(202), "status-description": "Accepted"}, None


def operate(node: QueueNode, request: Request) -> Response:
    """Runs a management operation on the node's queue."""
    try:
        body = _operation(request)(node.queue, _arguments(request))
    except AmqpError as error:
        return _failed(error)
    except LockLostError:
        return _failed(AmqpError(MESSAGE_LOCK_LOST, LOCK_LOST_DESCRIPTION))
    except CannotDeadLetterError:
        return _failed(AmqpError(NOT_ALLOWED, "A dead letter cannot be dead-lettered."))
    finally:
        node.changed()
    return {"statusCode": Int(200 if body else 204), "statusDescription": "OK"}, body


def _operation(request: Request) -> _Operation:
    name = str(request.application_properties.get("operation"))
    try:
        return _OPERATIONS[name]
    except KeyError:
        raise AmqpError(NOT_IMPLEMENTED, f"There is no operation {name} here.") from None


def _arguments(request: Request) -> _Body:
    if not isinstance(request.body, dict):
        raise AmqpError(ARGUMENT_ERROR, "The body is no map.")
    return request.body


def _failed(error: AmqpError) -> Response:
    return {
        "statusCode": Int(_STATUS[error.condition]),
        "statusDescription": error.description,
        "errorCondition": Symbol(error.condition),
    }, None


def _argument[T](body: _Body, name: str, kind: type[T]) -> T:
    value = body.get(name)
    if not isinstance(value, kind):
        raise AmqpError(ARGUMENT_ERROR, f"{name} is {value!r}")
    return value


def _lock_tokens(body: _Body) -> list[UUID]:
    tokens: list[object] = _argument(body, "lock-tokens", list)
    if not all(isinstance(token, UUID) for token in tokens):
        raise AmqpError(ARGUMENT_ERROR, "lock-tokens are UUIDs")
    return cast("list[UUID]", tokens)


def _renew_lock(queue: Queue, body: _Body) -> _Body:
    locked_until = [queue.renew(token) for token in _lock_tokens(body)]
    return {"expirations": Array(Timestamp(round(instant * 1000)) for instant in locked_until)}


def _peek_message(queue: Queue, body: _Body) -> _Body:
    """As many as were asked for, or as fit into one answer."""
    messages = queue.peek(_argument(body, "from-sequence-number", int), _argument(body, "message-count", int))
    packed = [pack(message, earlier_deliveries=message.delivery_count) for message in messages]
    sizes = accumulate(map(len, packed))
    fitting = [one for one, size in zip(packed, sizes, strict=True) if size <= MAX_MESSAGE_SIZE] or packed[:1]
    return {"messages": [{"message": one} for one in fitting]} if fitting else {}


def _update_disposition(queue: Queue, body: _Body) -> _Body:
    settle = _DISPOSITIONS.get(_argument(body, "disposition-status", str))
    if settle is None:
        raise AmqpError(NOT_IMPLEMENTED, f"There is no disposition {body['disposition-status']} here.")
    for lock_token in _lock_tokens(body):
        settle(queue, lock_token, body)
    return {"settled": True}


def _suspend(queue: Queue, lock_token: UUID, body: _Body) -> None:
    reason, description = body.get("deadletter-reason"), body.get("deadletter-description")
    queue.dead_letter(
        lock_token,
        dead_letter_properties(str(reason) if reason else None, str(description) if description else None),
    )


_DISPOSITIONS: dict[str, Callable[[Queue, UUID, _Body], None]] = {
    "completed": lambda queue, lock_token, _: queue.complete(lock_token),
    "abandoned": lambda queue, lock_token, _: queue.abandon(lock_token),
    "suspended": _suspend,
}

_OPERATIONS: dict[str, _Operation] = {
    "com.microsoft:renew-lock": _renew_lock,
    "com.microsoft:peek-message": _peek_message,
    "com.microsoft:update-disposition": _update_disposition,
}
