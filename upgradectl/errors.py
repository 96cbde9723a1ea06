"""What went wrong, in one line and with its remedy; and what the process says by its exit code."""

from enum import IntEnum

from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from shared.errors import (
    AccessDenied,
    InvalidSettings,
    StoreUnavailable,
    TokenRefused,
    TokenUnavailable,
    Unauthorized,
    UpgradeError,
)
from shared.sign_in import Kind, kind_of
from upgradectl.store import AccessRefused

SETTINGS_REMEDY = "give it with --set NAME=VALUE, in the environment or by an azd environment; --local: the local cloud"
SIGN_IN_REMEDY = "sign in with `az login`, to the tenant of the subscription"
_TABLE_ROLES = (
    "grant yourself Storage Table Data Reader on the tables; Storage Table Data Contributor to change something"
)
_NETWORK_RULES = ("ForbiddenByFirewall", "ForbiddenByConnection", "AuthorizationFailure")


class ExitCode(IntEnum):
    """Documented in the help; `app.EXIT_CODES` is the text."""

    OK = 0
    NOT_OK = 1  # an answer, and it is bad news
    USAGE = 2
    FAILED = 3  # no answer: what was asked for could not be done
    INTERRUPTED = 130


class CommandError(Exception):
    """Ends the command. `remedy`: what its user can do about it."""

    def __init__(self, message: str, remedy: str = "", *, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.code = code

    @property
    def line(self) -> str:
        return "; ".join(part for part in (self.message, self.remedy) if part)


def explained(error: Exception) -> CommandError:
    """Any error, in an operator's words."""
    match error:
        case CommandError():
            return error
        case UpgradeError():
            return _of_the_core(error)
        case ClientAuthenticationError():
            return CommandError(f"no Azure token: {first_line(error)}", SIGN_IN_REMEDY)
        case HttpResponseError():
            return CommandError(answered(error), remedy_of_403(error) if error.status_code == 403 else "")
        case ServiceRequestError() | ServiceResponseError() | TimeoutError():
            return CommandError(f"no answer: {first_line(error)}", "check the address and the network")
    return CommandError(f"unexpected {type(error).__name__}: {first_line(error)}", "--debug shows where")


def _of_the_core(error: UpgradeError) -> CommandError:
    match error:
        case InvalidSettings():
            return CommandError("; ".join(error.problems), SETTINGS_REMEDY, code=ExitCode.USAGE)
        case TokenRefused():
            return _refused(error)
        case TokenUnavailable():
            remedy = "try again; check AUTHORITY_URL and the network"
            return CommandError(f"no token for Partner Center: {error.description}", remedy)
        case AccessRefused():
            return CommandError(str(error), _TABLE_ROLES)
        case StoreUnavailable():
            return CommandError(str(error), "see TABLES_URL; `upgradectl doctor`")
        case AccessDenied() | Unauthorized():
            remedy = "see the user's roles and MFA: `upgradectl doctor`, docs/operations.md"
            return CommandError(f"Partner Center refuses the app's sign-in ({error.code or error.http_status})", remedy)
    return CommandError(str(error))


def answered(error: HttpResponseError) -> str:
    """`403 ForbiddenByRbac`: the status and the innermost code."""
    return f"answered {error.status_code} {code_of(error)}".rstrip()


def code_of(error: HttpResponseError) -> str:
    """Key Vault's inner code, its code, or Table Storage's."""
    odata = error.error
    inner = getattr(odata, "innererror", None) or {}
    found = inner.get("code") if isinstance(inner, dict) else None
    code = found or getattr(error, "error_code", None) or getattr(odata, "code", None) or ""
    return str(getattr(code, "value", code))


def remedy_of_403(error: HttpResponseError, role: str = "", scope: str = "") -> str:
    """A network rule and a missing role look alike but for the code."""
    if code_of(error) in _NETWORK_RULES:
        return "its network rules refuse this machine: allow its address, or run this from inside the network"
    return f"grant yourself {role} on {scope}" if role else "a role is missing: `upgradectl doctor` names it"


def first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def _refused(error: TokenRefused) -> CommandError:
    shown = error.description or error.code
    if error.code == "invalid_certificate":
        return CommandError(f"the certificate in Key Vault is {shown}", "import it with its key: docs/deploy.md")
    if error.code == "access_denied":
        return CommandError("the sign-in was declined", "run it again, and accept")
    match kind_of(error.code, error.aadsts):
        case Kind.CLIENT:
            return CommandError(
                f"the client secret or certificate is refused: {shown}", "put a valid one into Key Vault"
            )
        case Kind.POLICY:
            return CommandError(f"a conditional access policy refuses the sign-in: {shown}", "ask an administrator")
    return CommandError(f"the sign-in is refused: {shown}", "run `upgradectl consent`")
