"""The server's half of the SASL exchange (AMQP 1.0, part 5.3): it lets everybody in, since nobody is far away."""

from local.amqp.errors import NOT_ALLOWED, AmqpError
from local.amqp.performatives import SaslInit, SaslMechanisms, SaslOutcome
from local.amqp.values import Array, Symbol

MECHANISMS = ("MSSBCBS", "PLAIN", "ANONYMOUS")
_OK, _REFUSED = 0, 1

OFFER = SaslMechanisms(Array(Symbol(mechanism) for mechanism in MECHANISMS))


def answer(performative: object) -> SaslOutcome:
    """
    Raises:
        AmqpError: it is not the client's turn to say that.
    """
    if not isinstance(performative, SaslInit):
        raise AmqpError(NOT_ALLOWED, "expected sasl-init")
    return SaslOutcome(_OK if performative.mechanism in MECHANISMS else _REFUSED)
