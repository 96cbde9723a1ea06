"""What the Service Bus trigger gives to a function for one delivery of a message.

The metadata's keys and forms are those of the platform's Service Bus extension ("Azure Service Bus trigger for Azure
Functions: message metadata"), as `azure.functions.ServiceBusMessage` reads them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpMessageBodyType

from local.functions_host.messages import TriggerData, TypedData


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A message as it was received. `delivery_count` counts this delivery: 1 the first time."""

    body: bytes
    message_id: str | None = None
    delivery_count: int = 1
    sequence_number: int = 1
    enqueued_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    expires_at: datetime | None = None
    lock_token: str | None = None
    content_type: str | None = None
    correlation_id: str | None = None
    subject: str | None = None
    to: str | None = None
    reply_to: str | None = None
    reply_to_session_id: str | None = None
    session_id: str | None = None
    partition_key: str | None = None
    dead_letter_source: str | None = None
    application_properties: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def of(cls, message: ServiceBusReceivedMessage) -> "Delivery":
        """Raises: TypeError where the body is neither bytes nor text."""
        return cls(
            body=_body(message),
            message_id=message.message_id,
            delivery_count=(message.delivery_count or 0) + 1,
            sequence_number=message.sequence_number or 0,
            enqueued_at=message.enqueued_time_utc or datetime.now(UTC),
            expires_at=message.expires_at_utc,
            lock_token=str(message.lock_token),
            content_type=message.content_type,
            correlation_id=message.correlation_id,
            subject=message.subject,
            to=message.to,
            reply_to=message.reply_to,
            reply_to_session_id=message.reply_to_session_id,
            session_id=message.session_id,
            partition_key=message.partition_key,
            dead_letter_source=message.dead_letter_source,
            application_properties=_plain(message.application_properties or {}),
        )

    def trigger_data(self) -> TriggerData:
        known = {key: TypedData.of(value) for key, value in self._metadata().items() if value is not None}
        return TriggerData(TypedData(bytes=self.body), known)

    def _metadata(self) -> dict[str, object]:
        properties = dict(self.application_properties)
        return {
            "MessageId": self.message_id,
            "DeliveryCount": self.delivery_count,
            "SequenceNumber": self.sequence_number,
            "EnqueuedTimeUtc": _instant(self.enqueued_at),
            "ExpiresAtUtc": self.expires_at and _instant(self.expires_at),
            "LockToken": self.lock_token,
            "ContentType": self.content_type,
            "CorrelationId": self.correlation_id,
            "Label": self.subject,
            "Subject": self.subject,
            "To": self.to,
            "ReplyTo": self.reply_to,
            "ReplyToSessionId": self.reply_to_session_id,
            "SessionId": self.session_id,
            "PartitionKey": self.partition_key,
            "DeadLetterSource": self.dead_letter_source,
            "ApplicationProperties": properties,
            "UserProperties": properties,  # by this one the library knows that it is a single message
        }


def _body(message: ServiceBusReceivedMessage) -> bytes:
    if message.body_type == AmqpMessageBodyType.DATA:
        return b"".join(message.body)
    if message.body_type == AmqpMessageBodyType.VALUE and isinstance(message.body, bytes | str):
        return message.body if isinstance(message.body, bytes) else message.body.encode()
    raise TypeError(f"a body of the AMQP type {message.body_type.value} cannot be bound")


def _plain(properties: Mapping[Any, Any]) -> dict[str, object]:
    return {_text(key): _json_value(value) for key, value in properties.items()}


def _json_value(value: object) -> object:
    return value if isinstance(value, str | int | float | bool | None) else _text(value)


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
