"""The refresh-token exchange: what goes to the token endpoint, and what its errors mean.

Source: "Refresh the access token" of the OAuth 2.0 authorization code flow, and "Microsoft Entra authentication and
authorization error codes" (Microsoft identity platform).
"""

import base64
import json
import re
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

import msal
import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)

from shared import transport
from shared.errors import CallFailed, TokenRefused, TokenUnavailable
from shared.settings import Settings

_MAX_BYTES = 1024 * 1024
_PEM_BLOCK = re.compile(r"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----", re.DOTALL)


class Kind(Enum):
    """What an error of the token endpoint asks for."""

    CONSENT = auto()  # a person must sign in again
    CLIENT = auto()  # the secret or certificate is wrong or has expired
    POLICY = auto()  # an administrator's policy refuses the sign-in
    LATER = auto()  # the service's own trouble, or we ask too often


# The OAuth error decides, but for these AADSTS numbers, which say more.
BY_NUMBER = {
    **dict.fromkeys((70008, 700082, 70000, 50173, 70043), Kind.CONSENT),  # expired or revoked
    **dict.fromkeys((50076, 50078, 50079, 50074, 50158), Kind.CONSENT),  # MFA is asked for
    **dict.fromkeys((65001, 50057, 50105), Kind.CONSENT),  # no consent; user disabled; not assigned
    **dict.fromkeys((7000215, 7000222, 700027), Kind.CLIENT),
    **dict.fromkeys((53003, 530035, 53000), Kind.POLICY),
    **dict.fromkeys((50033, 90006, 90012, 90024, 90033, 90055), Kind.LATER),
    50196: Kind.LATER,  # it takes us for a loop
}
BY_ERROR = {
    "invalid_grant": Kind.CONSENT,
    "interaction_required": Kind.CONSENT,
    "invalid_client": Kind.CLIENT,
    "invalid_certificate": Kind.CLIENT,  # our own word, see `certificate`
    "unauthorized_client": Kind.CLIENT,
    "temporarily_unavailable": Kind.LATER,
    "server_error": Kind.LATER,
    "slow_down": Kind.LATER,
}


def kind_of(error: str, aadsts: int | None) -> Kind:
    """An error that nobody knows is for a person to look at."""
    return BY_NUMBER.get(aadsts or 0) or BY_ERROR.get(error) or Kind.CONSENT


@dataclass(frozen=True, slots=True)
class Tokens:
    """What an exchange returns. `amr`: how the person signed in, None where the access token does not show it."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    lifetime_s: float
    amr: tuple[str, ...] | None


class SignIn:
    """Exchanges refresh tokens for access tokens, for one app registration."""

    def __init__(self, session: requests.Session, settings: Settings) -> None:
        self._http = _MsalHttp(session, settings)
        self._settings = settings

    def exchange(self, client_credential: str | dict[str, str], refresh_token: str) -> Tokens:
        """`client_credential`: a secret, or a certificate as `certificate` makes it.

        Raises:
            TokenUnavailable: no answer that can be used.
            TokenRefused: an error answer that a person has to act on.
        """
        try:
            app = self.application(client_credential)
            return tokens_of(app.acquire_token_by_refresh_token(refresh_token, scopes=self.scopes))
        except CallFailed:
            raise
        except Exception as error:  # noqa: BLE001  whatever MSAL makes of an odd answer is no token
            raise TokenUnavailable(type(error).__name__) from None

    @property
    def scopes(self) -> list[str]:
        """Without `offline_access`, which MSAL adds itself."""
        return [f"{self._settings.partner_center_resource}/user_impersonation"]

    def application(self, client_credential: str | dict[str, str]) -> Any:
        """MSAL's, a new one for every exchange: one keeps answers, errors too, for a minute."""
        return msal.ConfidentialClientApplication(
            self._settings.partner_client_id,
            authority=f"{self._settings.authority_url}/{self._settings.partner_tenant_id}",
            client_credential=client_credential,
            http_client=self._http,
            instance_discovery=False,
        )


def certificate(value: str) -> dict[str, str]:
    """A Key Vault certificate with its key, as the secrets API gives it (base64 PKCS#12, or PEM), in MSAL's form.

    Raises:
        TokenRefused: it is neither, or has no RSA key.
    """
    try:
        key, leaf = _from_pem(value) if "-----BEGIN" in value else _from_pkcs12(value)
    except Exception:  # noqa: BLE001  whatever cryptography stumbles over is no certificate
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise TokenRefused("neither PKCS#12 nor PEM with an RSA key", code="invalid_certificate")
    return {
        "private_key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "public_certificate": leaf.public_bytes(Encoding.PEM).decode(),
    }


def _from_pem(value: str) -> tuple[Any, x509.Certificate]:
    blocks = {match[1]: match[0] for match in reversed([*_PEM_BLOCK.finditer(value)])}  # the leaf comes first
    key = next((text for label, text in blocks.items() if label.endswith("PRIVATE KEY")), "")
    leaf = x509.load_pem_x509_certificate(blocks.get("CERTIFICATE", "").encode())
    return load_pem_private_key(key.encode(), None), leaf


def _from_pkcs12(value: str) -> tuple[Any, x509.Certificate]:
    key, leaf, _ = pkcs12.load_key_and_certificates(base64.b64decode("".join(value.split()), validate=True), None)
    if key is None or leaf is None:
        raise ValueError
    return key, leaf


class _MsalHttp:
    """What MSAL sends with: our session, our deadline."""

    def __init__(self, session: requests.Session, settings: Settings) -> None:
        self._session = session
        total_s = settings.azure_call_deadline_s
        self._timeouts = transport.Timeouts(min(settings.connect_timeout_s, total_s), total_s, total_s)

    def post(self, url: str, **kwargs: Any) -> requests.Response:
        return self._send("POST", url, kwargs)

    def get(self, url: str, **kwargs: Any) -> requests.Response:
        return self._send("GET", url, kwargs)

    def close(self) -> None:
        """The session is not MSAL's to close."""

    def _send(self, method: str, url: str, kwargs: dict[str, Any]) -> requests.Response:
        known = {name: kwargs[name] for name in ("params", "data", "headers") if name in kwargs}
        answer = transport.send(self._session, method, url, timeouts=self._timeouts, max_bytes=_MAX_BYTES, **known)
        if answer.status_code == 429:
            raise TokenUnavailable("throttled")  # whatever its body says
        return answer


def tokens_of(answer: dict[str, Any]) -> Tokens:
    """What MSAL has returned.

    Raises:
        TokenUnavailable, TokenRefused: no token.
    """
    access_token = answer.get("access_token")
    if not (access_token and isinstance(access_token, str)):
        raise _refusal(answer)
    refresh_token = answer.get("refresh_token")
    return Tokens(
        access_token=access_token,
        refresh_token=refresh_token if isinstance(refresh_token, str) else None,
        lifetime_s=float(answer.get("expires_in") or 0),
        amr=_amr(access_token),
    )


def _amr(access_token: str) -> tuple[str, ...] | None:
    """The token is for Partner Center to check; we only look how its person has signed in."""
    try:
        payload = access_token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        amr = claims["amr"]
    except (IndexError, KeyError, TypeError, ValueError):
        return None
    return tuple(str(method) for method in amr) if isinstance(amr, list) else None


def _refusal(answer: dict[str, Any]) -> CallFailed:
    """Its description may name people, so only codes are kept."""
    code = str(answer.get("error") or "")
    numbers = answer.get("error_codes")
    aadsts = next((n for n in numbers if isinstance(n, int)), None) if isinstance(numbers, list) else None
    shown = f"{code} AADSTS{aadsts}" if aadsts else code
    if not code or kind_of(code, aadsts) is Kind.LATER:
        return TokenUnavailable(shown or "no access token")
    return TokenRefused(shown, code=code, aadsts=aadsts)
