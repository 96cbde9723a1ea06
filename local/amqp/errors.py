"""What goes wrong, and how much of the connection it takes along (AMQP 1.0, parts 2.8.15 to 2.8.18).

AmqpError           a condition and a description for the peer; raised as itself it closes the connection
+-- DecodeError     bytes that are no AMQP
+-- SessionError    ends the session
+-- LinkError       detaches the link, or refuses its attach
"""

DECODE_ERROR = "amqp:decode-error"
FRAMING_ERROR = "amqp:connection:framing-error"
CONNECTION_FORCED = "amqp:connection:forced"
INTERNAL_ERROR = "amqp:internal-error"
INVALID_FIELD = "amqp:invalid-field"
MESSAGE_SIZE_EXCEEDED = "amqp:link:message-size-exceeded"
NOT_ALLOWED = "amqp:not-allowed"
NOT_FOUND = "amqp:not-found"
NOT_IMPLEMENTED = "amqp:not-implemented"
PRECONDITION_FAILED = "amqp:precondition-failed"
RESOURCE_LIMIT_EXCEEDED = "amqp:resource-limit-exceeded"
UNAUTHORIZED_ACCESS = "amqp:unauthorized-access"
TRANSFER_LIMIT_EXCEEDED = "amqp:link:transfer-limit-exceeded"
HANDLE_IN_USE = "amqp:session:handle-in-use"
UNATTACHED_HANDLE = "amqp:session:unattached-handle"


class AmqpError(Exception):
    def __init__(self, condition: str, description: str) -> None:
        super().__init__(f"{condition}: {description}")
        self.condition = condition
        self.description = description


class DecodeError(AmqpError):
    def __init__(self, description: str) -> None:
        super().__init__(DECODE_ERROR, description)


class SessionError(AmqpError): ...


class LinkError(AmqpError): ...
