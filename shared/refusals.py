"""What Partner Center's error codes mean, and what follows: the one place for both.

Source: "Partner Center REST API error codes" and the reference pages of the three calls, in Microsoft's Partner Center
developer documentation. The codes are documented; what follows from them is our inference.
"""

from dataclasses import dataclass
from enum import Enum, auto


class Kind(Enum):
    """What a refusal means for the request."""

    IN_PLACE = auto()  # an upgrade exists already: adopt it
    NOT_FOUND = auto()  # the upgrade is not known, or not yet
    FOR_GOOD = auto()  # rejected
    FOR_NOW = auto()  # a documented "try again later"
    ACCESS = auto()  # our own credentials are wrong


@dataclass(frozen=True, slots=True)
class Refusal:
    """One row. `http_status`: as documented; the code alone decides."""

    http_status: int
    code: str
    kind: Kind
    reason: str


TABLE = (
    Refusal(409, "900109", Kind.IN_PLACE, "an upgrade of this customer is in progress"),
    Refusal(400, "900110", Kind.IN_PLACE, "a completed upgrade exists"),
    Refusal(400, "900111", Kind.IN_PLACE, "the id is not this customer's, another one is"),
    Refusal(404, "900106", Kind.NOT_FOUND, "no such upgrade"),
    Refusal(403, "900105", Kind.FOR_GOOD, "the subscriptions are suspended"),
    Refusal(403, "900108", Kind.FOR_GOOD, "the customer has no Azure subscription"),
    Refusal(403, "900130", Kind.FOR_NOW, "bought too recently"),
    Refusal(400, "900107", Kind.FOR_GOOD, "no catalog item"),
    Refusal(400, "900118", Kind.FOR_GOOD, "invalid customer"),
    Refusal(400, "900119", Kind.FOR_GOOD, "shared services"),
    Refusal(400, "900120", Kind.FOR_GOOD, "cannot be upgraded"),
    Refusal(403, "20002", Kind.FOR_GOOD, "no commerce relationship with the customer"),
    Refusal(403, "13605", Kind.FOR_GOOD, "the customer agreement is not accepted"),
    Refusal(403, "900123", Kind.FOR_GOOD, "the customer agreement is not accepted"),
    Refusal(403, "900124", Kind.FOR_GOOD, "the partner agreement is not accepted"),
    Refusal(400, "900116", Kind.FOR_GOOD, "a limit of the sandbox"),
    Refusal(400, "900127", Kind.FOR_GOOD, "a limit of the sandbox"),
    Refusal(403, "2032", Kind.ACCESS, "our access is denied"),
    Refusal(403, "900150", Kind.ACCESS, "our role is missing"),
    Refusal(403, "900308", Kind.ACCESS, "our access is denied"),
    Refusal(403, "900309", Kind.ACCESS, "conditional access denies us"),
    Refusal(403, "900329", Kind.ACCESS, "an app-only token"),
    Refusal(401, "900421", Kind.ACCESS, "the token has no MFA claim"),
)

BY_CODE = {refusal.code: refusal for refusal in TABLE}


def is_understood(code: str | None) -> bool:
    """Whether a refusal with this code is a documented "try again later"."""
    refusal = BY_CODE.get(code or "")
    return refusal is not None and refusal.kind is Kind.FOR_NOW


def is_of_another_upgrade(code: str) -> bool:
    """Whether a status call was told that another upgrade is this customer's."""
    refusal = BY_CODE.get(code)
    return refusal is not None and refusal.kind is Kind.IN_PLACE
