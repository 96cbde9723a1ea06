"""What can go wrong, by what is known afterwards.

UpgradeError
|- InvalidRequest           permanent: the message breaks the contract
|- InvalidSettings          permanent: lasts as long as the process
|- StoreError
|  |- RowExists             refused: a row with this key is there
|  |- RowChanged            refused: somebody else has written or deleted the row
|  `- StoreUnavailable      not now; of a write: outcome unknown
`- CallFailed               a call to Partner Center
   |- NotSent               surely not sent
   |  |- TokenUnavailable   no token to be had for a while
   |  |- TokenRefused       our credentials are wrong: a person must act
   |  `- LeaseTooShort      the call might outlive the lease
   |- Refused               an answer of the service
   |  |- RefusedForGood     permanent
   |  |- RefusedForNow      not now: "try again later", and whatever is not understood
   |  |- UpgradeNotFound    the upgrade is not known (yet)
   |  |- Throttled          not now: 429
   |  |- Unauthorized       not now: 401, the token is not accepted
   |  `- AccessDenied       our credentials are wrong: role, consent, MFA
   `- OutcomeUnknown        sent, and nobody knows what became of it
"""

from typing import ClassVar


class UpgradeError(Exception):
    """Base of all.

    `may_be_held`: whether a message that met it may be accepted later, by whatever process. `waiting_helps`: whether
    this process may succeed a little later.
    """

    may_be_held: ClassVar[bool] = True
    waiting_helps: ClassVar[bool] = True


class InvalidRequest(UpgradeError):
    """The message is no upgrade request. `reason` and `where` never quote the body."""

    may_be_held = False

    def __init__(self, reason: str, where: str = "$") -> None:
        super().__init__(f"{reason} (at {where})")
        self.reason = reason
        self.where = where


class InvalidSettings(UpgradeError):
    """Settings are missing or wrong; `problems` names them all."""

    waiting_helps = False

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class StoreError(UpgradeError):
    """Table Storage did not do what was asked."""


class RowExists(StoreError):
    """An insert met a row with the same key."""


class RowChanged(StoreError):
    """A conditional write met another version of the row, or none."""


class StoreUnavailable(StoreError):
    """Table Storage, or the identity that opens it, gave no usable answer in time."""


class CallFailed(UpgradeError):
    """A call to Partner Center did not do what was asked. `code` and `description` are the service's words."""

    def __init__(self, description: str = "", *, code: str = "", http_status: int | None = None) -> None:
        super().__init__(f"{type(self).__name__}: {http_status or ''} {code}".rstrip(": "))
        self.description = description
        self.code = code
        self.http_status = http_status


class NotSent(CallFailed):
    """The call surely never left this process."""


class TokenUnavailable(NotSent):
    """Key Vault, the identity endpoint or the token endpoint does not answer, or asks to come back later."""


class TokenRefused(NotSent):
    """The token endpoint refuses our credentials (`code`: the OAuth error)."""

    def __init__(self, description: str = "", *, code: str = "", aadsts: int | None = None) -> None:
        super().__init__(description, code=code)
        self.aadsts = aadsts


class LeaseTooShort(NotSent):
    """Less of the lease is left than the call may take."""


class HeldBack(NotSent):
    """The gate has closed since the caller looked at it."""


class Refused(CallFailed):
    """The service answered, and the answer is no."""


class RefusedForGood(Refused):
    """Nothing but a person can change this answer."""


class RefusedForNow(Refused):
    """May succeed later. `understood`: a documented "try again later", else an answer that nobody knows."""

    def __init__(
        self, description: str = "", *, code: str = "", http_status: int | None = None, understood: bool = False
    ) -> None:
        super().__init__(description, code=code, http_status=http_status)
        self.understood = understood


class UpgradeNotFound(Refused):
    """The service does not know the upgrade, or does not know it yet."""


class Throttled(Refused):
    """429. `retry_after_s`: seconds from now, None where the service did not say."""

    def __init__(
        self,
        description: str = "",
        *,
        code: str = "",
        http_status: int | None = 429,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(description, code=code, http_status=http_status)
        self.retry_after_s = retry_after_s


class Unauthorized(Refused):
    """401: this access token is not accepted."""


class AccessDenied(Refused):
    """Our own access is refused: role, consent, conditional access, app-only token, no MFA."""


class OutcomeUnknown(CallFailed):
    """Sent, or perhaps sent, and no answer of the service's own came back.

    `trouble`: where an answer came but the call that should confirm it failed, what that call met.
    """

    def __init__(
        self,
        description: str = "",
        *,
        code: str = "",
        http_status: int | None = None,
        trouble: CallFailed | None = None,
    ) -> None:
        super().__init__(description, code=code, http_status=http_status)
        self.trouble = trouble
