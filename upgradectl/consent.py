"""The secure application model's first step: a person signs in with MFA, and the refresh token goes to Key Vault.

Source: "Enabling the Secure Application Model framework" (Partner Center developer documentation), and the OAuth 2.0
authorization code flow with PKCE (Microsoft identity platform; RFC 6749, 4.1, RFC 7636).
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from azure.core.exceptions import HttpResponseError

from shared.errors import CallFailed, StoreUnavailable, TokenUnavailable
from shared.models import GateReason
from shared.sign_in import SignIn, Tokens, certificate, tokens_of
from upgradectl.connections import Connections
from upgradectl.errors import CommandError, ExitCode, answered, remedy_of_403
from upgradectl.probe import probe
from upgradectl.vault import OperatorVault

NEEDED = ("PARTNER_TENANT_ID", "PARTNER_CLIENT_ID", "KEY_VAULT_URL")
_MFA_REMEDY = "nothing was stored; give the account MFA (security defaults or conditional access), and sign in again"


class Browser(Protocol):
    """See `browser`. Where the sign-in sends its answer; the answer of one that begins at `url`."""

    @property
    def redirect_uri(self) -> str: ...
    @property
    def response_mode(self) -> str: ...
    def __call__(self, url: str, state: str) -> Mapping[str, str]: ...


@dataclass(frozen=True)
class Consented:
    """What there is now. `warnings`: what was not as it should be, in one sentence each."""

    secret_name: str
    signed_in_as: str | None
    gate: str
    warnings: tuple[str, ...]


def consent(connections: Connections, browser: Browser, *, new_secret: str | None = None) -> Consented:
    """`new_secret`: a client secret that is stored, too.

    Nothing is written over a client secret before a sign-in has shown that the new one is right, and no refresh token
    is stored that Partner Center would refuse.

    Raises:
        CommandError, CallFailed, HttpResponseError: the refresh token was not stored.
    """
    settings, vault = connections.settings, connections.vault
    credential, is_proven = _client_credential(connections, new_secret)
    tokens, signed_in_as = _sign_in(connections.sign_in, credential, browser)
    doubts = _check_mfa(connections, tokens)
    if not tokens.refresh_token:
        raise CommandError("the sign-in returned no refresh token", "the app registration must allow offline_access")
    if new_secret and not is_proven:
        _put(vault, settings.client_secret_name, new_secret)
    _put(vault, settings.refresh_token_secret_name, tokens.refresh_token)
    gate, warning = _mend_gate(connections)
    return Consented(settings.refresh_token_secret_name, signed_in_as, gate, (*doubts, *warning))


def _client_credential(connections: Connections, new_secret: str | None) -> tuple[str | dict[str, str], bool]:
    """What MSAL takes; and whether it is what Key Vault holds already."""
    settings = connections.settings
    name = settings.client_certificate_name or settings.client_secret_name
    if settings.client_certificate_name and new_secret:
        message = "the system signs in with a certificate (CLIENT_CERTIFICATE_NAME), not with a secret"
        raise CommandError(message, "leave out --set-secret", code=ExitCode.USAGE)
    stored = connections.vault.get(name)
    is_usable = stored is not None and not stored.is_placeholder
    if new_secret:
        if not is_usable:
            _put(connections.vault, name, new_secret)
        return new_secret, not is_usable
    if stored is None or not is_usable:
        remedy = "import it" if settings.client_certificate_name else "run it with --set-secret, which asks for it"
        raise CommandError(f"Key Vault holds no {name} yet{', only a placeholder' if stored else ''}", remedy)
    return (certificate(stored.value) if settings.client_certificate_name else stored.value), True


def _sign_in(sign_in: SignIn, credential: str | dict[str, str], browser: Browser) -> tuple[Tokens, str | None]:
    """The tokens, and whose they are. MSAL checks state and nonce."""
    try:
        app = sign_in.application(credential)
        flow = _begun(app, sign_in.scopes, browser)
        answer = app.acquire_token_by_auth_code_flow(flow, dict(browser(flow["auth_uri"], flow["state"])))
        return tokens_of(answer), _name_in(answer.get("id_token_claims"))
    except (CallFailed, CommandError):
        raise
    except Exception as error:  # noqa: BLE001  whatever MSAL makes of an odd answer is no token
        raise TokenUnavailable(type(error).__name__) from None


def _begun(app: Any, scopes: list[str], browser: Browser) -> dict[str, Any]:
    """MSAL's flow."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # MSAL's, about an answer in the address, where one is pasted
        flow: dict[str, Any] = app.initiate_auth_code_flow(
            scopes,
            redirect_uri=browser.redirect_uri,
            response_mode=browser.response_mode,
            prompt="login",  # not a session of the browser's: every refresh keeps the claims of this sign-in
        )
    return flow


def _name_in(claims: object) -> str | None:
    name = claims.get("preferred_username") if isinstance(claims, dict) else None
    return name if isinstance(name, str) else None


def _check_mfa(connections: Connections, tokens: Tokens) -> tuple[str, ...]:
    if tokens.amr is not None and "mfa" not in tokens.amr:
        raise CommandError("this sign-in was without MFA: Partner Center would refuse every call", _MFA_REMEDY)
    found = probe(connections.session, connections.settings, tokens.access_token, connections.clock)
    if found.is_mfa_compliant is False:
        raise CommandError("Partner Center says that this sign-in is not MFA compliant", _MFA_REMEDY)
    if found.is_accepted is False:
        remedy = "nothing was stored; the account needs the Admin agent role in Partner Center"
        raise CommandError(f"Partner Center refuses this sign-in: it {found.shown}", remedy)
    if found.is_mfa_compliant:
        return ()
    if tokens.amr and found.is_accepted:
        return ("Partner Center did not say whether the sign-in is MFA compliant",)
    raise CommandError(f"Partner Center {found.shown}: MFA is not confirmed", "nothing was stored; try again later")


def _put(vault: OperatorVault, name: str, value: str) -> None:
    try:
        vault.put(name, value)
    except HttpResponseError as error:
        remedy = remedy_of_403(error, "Key Vault Secrets Officer", f"the secret {name}")
        message = f"Key Vault {answered(error)}: {name} was not stored"
        raise CommandError(message, remedy if error.status_code == 403 else "try again later") from None


def _mend_gate(connections: Connections) -> tuple[str, tuple[str, ...]]:
    """The app need not wait: what kept it from calling is over. What the gate did, and a warning where that failed."""
    if not connections.target.has("TABLES_URL"):
        return "not looked at", ("TABLES_URL is missing: the app finds the new token when its own waiting ends",)
    try:
        state = connections.gate.look(fresh=True)
        if state.reason not in (GateReason.CREDENTIALS, GateReason.OPERATOR) or connections.gate.is_past(state):
            return str(state.position), ()
        connections.gate.mend()
    except StoreUnavailable as error:
        warning = (
            f"the gate was not mended ({error}): the app finds the new token when its own waiting ends, within an hour"
        )
        return "not mended", (warning,)
    return "mended", ()
