"""Key Vault secrets -> Partner Center access token, by the secure application model (App+User).

Source: "Enabling the Secure Application Model framework" (Partner Center developer documentation); "OAuth 2.0
authorization code flow, refresh the access token" and "Microsoft Entra authentication and authorization error codes"
(Microsoft identity platform).
"""

import logging
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import msal
import requests

from shared import transport
from shared.clock import Clock
from shared.errors import CallFailed, TokenRefused, TokenUnavailable
from shared.events import emit
from shared.settings import Settings

_RENEW_BEFORE_END_S = 300
_MAX_BYTES = 1024 * 1024
# Answers that mean "later": the service's own trouble, by its AADSTS number.
_TRANSIENT_AADSTS = {50033, 90006, 90012, 90024, 90033, 90055}
_TRANSIENT_ERRORS = {"temporarily_unavailable", "server_error", "slow_down"}
_CLIENT_ERRORS = {"invalid_client", "unauthorized_client"}


@dataclass(frozen=True, slots=True)
class Secret:
    """One version of a Key Vault secret. `created_at`: aware UTC, whole seconds as in the vault."""

    value: str
    version: str
    created_at: datetime


class Vault(Protocol):
    """Key Vault. Both raise TokenUnavailable, or TokenRefused where a secret is missing or forbidden."""

    def get_secret(self, name: str) -> Secret: ...

    def set_secret(self, name: str, value: str) -> None: ...


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    renew_at: float  # Clock.monotonic


class Credentials:
    """The process's one access token. Safe to be used by many threads: one exchange at a time, shared by all."""

    def __init__(self, vault: Vault, session: requests.Session, clock: Clock, settings: Settings) -> None:
        self._vault = vault
        self._http = _MsalHttp(session, settings)
        self._clock = clock
        self._settings = settings
        self._lock = threading.Lock()
        self._token: _Token | None = None
        self._exchange: Future[str] | None = None
        self._secret_created_at: datetime | None = None

    def get_token(self) -> str:
        """An access token with some life left.

        Raises:
            TokenUnavailable: Key Vault or the token endpoint does not answer.
            TokenRefused: a person must act.
        """
        with self._lock:
            if self._token and self._clock.monotonic() < self._token.renew_at:
                return self._token.value
            waiting = self._exchange
            if waiting is None:
                mine = self._exchange = Future()
        # Whoever comes while an exchange is under way shares its end, good or bad: a thousand rows need one token.
        return waiting.result() if waiting else self._run(mine)

    def drop_token(self, token: str | None = None) -> None:
        """Forgets the cached token (`token`: only if it is still that one), so that the next call makes a new one."""
        with self._lock:
            if self._token and token in (None, self._token.value):
                self._token = None

    @property
    def refresh_token_age_d(self) -> float | None:
        """Days since the stored refresh token's version was made; None before the first exchange."""
        if self._secret_created_at is None:
            return None
        return round((self._clock.now() - self._secret_created_at) / timedelta(days=1), 2)

    def _run(self, exchange: "Future[str]") -> str:
        try:
            token = self._renewed()
        except BaseException as error:
            with self._lock:
                self._exchange = None
            exchange.set_exception(error)
            raise
        with self._lock:
            self._token, self._exchange = token, None
        exchange.set_result(token.value)
        return token.value

    def _renewed(self) -> _Token:
        client, refresh = self._read()
        try:
            answer = self._acquire(client, refresh)
        except TokenRefused as error:
            # A person may just have replaced a secret: read once more before it counts.
            again = self._read()
            if again == (client, refresh):
                self._log_refused(error, refresh)
                raise
            client, refresh = again
            try:
                answer = self._acquire(client, refresh)
            except TokenRefused as second:
                self._log_refused(second, refresh)
                raise
        self._secret_created_at = refresh.created_at
        self._write_back(refresh, answer.get("refresh_token"))
        lifetime_s = float(answer.get("expires_in") or 0)
        early_s = min(_RENEW_BEFORE_END_S, lifetime_s / 2)
        emit(logging.INFO, "auth.renewed", secret_age_d=self.refresh_token_age_d)
        return _Token(answer["access_token"], self._clock.monotonic() + lifetime_s - early_s)

    def _read(self) -> tuple[Secret, Secret]:
        settings = self._settings
        return (
            self._vault.get_secret(settings.client_secret_name),
            self._vault.get_secret(settings.refresh_token_secret_name),
        )

    def _acquire(self, client: Secret, refresh: Secret) -> dict[str, Any]:
        settings = self._settings
        scope = f"{settings.partner_center_resource}/user_impersonation"
        try:
            app = msal.ConfidentialClientApplication(
                settings.partner_client_id,
                authority=f"{settings.authority_url}/{settings.partner_tenant_id}",
                client_credential=client.value,
                http_client=self._http,
                instance_discovery=False,
            )
            answer = app.acquire_token_by_refresh_token(refresh.value, scopes=[scope])
        except Exception as error:  # noqa: BLE001  whatever MSAL makes of an odd answer is no token
            raise TokenUnavailable(type(error).__name__) from None
        if isinstance(answer, dict) and isinstance(answer.get("access_token"), str):
            return answer
        raise _refusal(answer if isinstance(answer, dict) else {})

    def _write_back(self, used: Secret, new_value: object) -> None:
        """Keeps the new refresh token: once per interval, and only over the version that it came from."""
        due = self._clock.now() - used.created_at >= timedelta(hours=self._settings.token_renew_h)
        if not due or not isinstance(new_value, str) or new_value == used.value:
            return
        name = self._settings.refresh_token_secret_name
        try:
            if self._vault.get_secret(name).version == used.version:
                self._vault.set_secret(name, new_value)
        except CallFailed as error:
            emit(logging.WARNING, "auth.write_back_failed", error_type=type(error).__name__)

    def _log_refused(self, error: TokenRefused, refresh: Secret) -> None:
        event = "auth.credential_invalid" if error.code in _CLIENT_ERRORS else "auth.consent_required"
        age_d = round((self._clock.now() - refresh.created_at) / timedelta(days=1), 2)
        emit(logging.ERROR, event, oauth_error=error.code, aadsts=error.aadsts, secret_age_d=age_d)


class _MsalHttp:
    """What MSAL sends with: our session, our deadline."""

    def __init__(self, session: requests.Session, settings: Settings) -> None:
        self._session = session
        total_s = settings.azure_call_deadline_s
        self._timeouts = transport.Timeouts(min(settings.connect_timeout_s, total_s), total_s, total_s)

    def post(self, url: str, **kwargs: Any) -> requests.Response:
        return transport.send(
            self._session, "POST", url, timeouts=self._timeouts, max_bytes=_MAX_BYTES, **_known(kwargs)
        )

    def get(self, url: str, **kwargs: Any) -> requests.Response:
        return transport.send(
            self._session, "GET", url, timeouts=self._timeouts, max_bytes=_MAX_BYTES, **_known(kwargs)
        )

    def close(self) -> None:
        """The session is not MSAL's to close."""


def _known(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {name: kwargs[name] for name in ("params", "data", "headers") if name in kwargs}


def _refusal(answer: dict[str, Any]) -> CallFailed:
    """The token endpoint's error answer. Its description may name people, so only codes are kept."""
    code = str(answer.get("error") or "no_access_token")
    numbers = answer.get("error_codes")
    aadsts = next((n for n in numbers if isinstance(n, int)), None) if isinstance(numbers, list) else None
    shown = f"{code} AADSTS{aadsts}" if aadsts else code
    if code in _TRANSIENT_ERRORS or aadsts in _TRANSIENT_AADSTS or not answer.get("error"):
        return TokenUnavailable(shown)
    return TokenRefused(shown, code=code, aadsts=aadsts)
