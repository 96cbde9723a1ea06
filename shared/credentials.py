"""The process's access token for Partner Center, and the refresh token in Key Vault that it comes from.

Source: "Enabling the Secure Application Model framework" (Partner Center developer documentation).
"""

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from shared.clock import Clock
from shared.errors import CallFailed, TokenRefused
from shared.events import emit
from shared.settings import Settings
from shared.sign_in import Kind, SignIn, Tokens, certificate, kind_of
from shared.single_flight import SingleFlight

PLACEHOLDER = "placeholder:"  # how the values begin that the deployment puts into the vault, until a person has acted
_RENEW_BEFORE_END_S = 300
_SHORTEST_LIFETIME_S = 2  # an answer without a lifetime must not make every call an exchange; a 401 tells, too


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a secret. `created_at`: aware UTC, whole seconds as in the vault. `by_app`: we wrote it."""

    id: str
    created_at: datetime
    by_app: bool = False


@dataclass(frozen=True, slots=True)
class Secret:
    """A version with its value."""

    value: str = field(repr=False)
    version: Version


class Vault(Protocol):
    """Key Vault. All raise TokenUnavailable, or TokenRefused where a secret is missing or forbidden."""

    def get_secret(self, name: str, version_id: str | None = None) -> Secret: ...
    def set_secret(self, name: str, value: str) -> None: ...
    def list_versions(self, name: str) -> Iterable[Version]: ...


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    renew_at: float  # Clock.monotonic


@dataclass(frozen=True, slots=True)
class _Secrets:
    client: Secret
    refresh: Secret


class Credentials:
    """Safe to be used by many threads: one exchange at a time, shared by all."""

    def __init__(self, vault: Vault, sign_in: SignIn, clock: Clock, settings: Settings) -> None:
        self._vault = vault
        self._exchange = sign_in.exchange
        self._clock = clock
        self._settings = settings
        self._lock = threading.Lock()
        self._token: _Token | None = None
        self._renewals = SingleFlight[_Token]()
        self._sign_in: str | None = None
        self._refresh_version: Version | None = None
        self._overwrote: Version | None = None  # until no person's version can lie below our write
        self._renew_again_at = 0.0  # Clock.monotonic

    def get_token(self) -> str:
        """An access token with some life left.

        Raises:
            TokenUnavailable: Key Vault or the token endpoint does not answer.
            TokenRefused: a person must act.
        """
        token = self._token
        if token and self._clock.monotonic() < token.renew_at:
            return token.value
        return self._renewals.run(self._renewed).value

    def drop_token(self, token: str | None = None) -> None:
        """Forgets the cached token (`token`: only if it is still that one), so that the next call makes a new one."""
        with self._lock:
            if self._token and token in (None, self._token.value):
                self._token = None

    def renew_if_due(self) -> None:
        """The scheduled exchange, without which an idle system would lose its refresh token after 90 days.

        Raises:
            TokenUnavailable, TokenRefused: the next attempt waits RETRY_MAX_S.
        """
        if self._clock.monotonic() < self._renew_again_at:
            return
        self._renew_again_at = self._clock.monotonic() + self._settings.retry_max_s
        try:
            stored = self._get_secret(self._settings.refresh_token_secret_name).version
        except TokenRefused as error:
            self._log_refused(error, None)
            raise
        self._refresh_version = stored
        if self._is_due(stored):
            self._renewals.run(self._renewed)

    @property
    def sign_in(self) -> str | None:
        """Names the version of the refresh token that the latest exchange started from."""
        return self._sign_in

    @property
    def refresh_token_age_d(self) -> float | None:
        """Days since the stored refresh token's version was made; None before the first look at it."""
        if self._refresh_version is None:
            return None
        return round((self._clock.now() - self._refresh_version.created_at) / timedelta(days=1), 2)

    def _renewed(self) -> _Token:
        secrets, tokens = self._acquire()
        self._refresh_version = secrets.refresh.version
        self._sign_in = secrets.refresh.version.id
        if tokens.amr is not None and "mfa" not in tokens.amr:
            emit(logging.ERROR, "auth.consent_required", oauth_error="no_mfa", secret_age_d=self.refresh_token_age_d)
        emit(logging.INFO, "auth.renewed", secret_age_d=self.refresh_token_age_d)
        self._write_back(secrets.refresh, tokens.refresh_token)
        lifetime_s = max(tokens.lifetime_s, _SHORTEST_LIFETIME_S)
        token = _Token(
            tokens.access_token, self._clock.monotonic() + lifetime_s - min(_RENEW_BEFORE_END_S, lifetime_s / 2)
        )
        with self._lock:
            self._token = token
        return token

    def _acquire(self) -> tuple[_Secrets, Tokens]:
        """A refusal counts only after a second look at the secrets: a person may just have replaced one."""
        secrets: _Secrets | None = None
        try:
            secrets = self._read()
            return secrets, self._exchange(self._client_credential(secrets), secrets.refresh.value)
        except TokenRefused as error:
            again = self._read_again()
            if again is None or again == secrets:
                self._log_refused(error, secrets)
                raise
        try:
            return again, self._exchange(self._client_credential(again), again.refresh.value)
        except TokenRefused as error:
            self._log_refused(error, again)
            raise

    def _read(self) -> _Secrets:
        client = self._get_secret(self._client_name)
        return _Secrets(client, self._get_secret(self._settings.refresh_token_secret_name))

    def _get_secret(self, name: str) -> Secret:
        """A placeholder is refused here: the token endpoint is not asked about it."""
        secret = self._vault.get_secret(name)
        if secret.value.startswith(PLACEHOLDER):
            raise TokenRefused("the deployment's placeholder", code=f"secret:{name}")
        return secret

    @property
    def _client_name(self) -> str:
        return self._settings.client_certificate_name or self._settings.client_secret_name

    def _read_again(self) -> _Secrets | None:
        """None where that fails, too: then the first refusal is what there is to say."""
        try:
            self._put_persons_on_top()  # what was refused may be our own write, over what a person put there
            return self._read()
        except CallFailed:
            return None

    def _client_credential(self, secrets: _Secrets) -> str | dict[str, str]:
        value = secrets.client.value
        return certificate(value) if self._settings.client_certificate_name else value

    def _is_due(self, version: Version) -> bool:
        return self._clock.now() - version.created_at >= timedelta(hours=self._settings.token_renew_h)

    def _write_back(self, used: Secret, new_value: str | None) -> None:
        """Keeps the new refresh token: once per interval, and only over the version that it came from."""
        try:
            self._put_persons_on_top()  # where that failed the last time
            if new_value in (None, used.value) or not self._is_due(used.version):
                return
            self._overwrite(used.version, str(new_value))
        except CallFailed as error:
            emit(logging.WARNING, "auth.write_back_failed", error_type=type(error).__name__)

    def _overwrite(self, used: Version, new_value: str) -> None:
        name = self._settings.refresh_token_secret_name
        if self._vault.get_secret(name).version != used:
            return
        self._overwrote = used  # before the write: where it fails, it may have come through
        self._vault.set_secret(name, new_value)
        self._put_persons_on_top()
        self._refresh_version = self._vault.get_secret(name).version

    def _put_persons_on_top(self) -> None:
        """The vault has no conditional write: what a person put there since `_overwrote` is written again on top."""
        if self._overwrote is None:
            return
        name, since = self._settings.refresh_token_secret_name, self._overwrote.created_at
        seen: set[str] = set()
        while True:
            by_person = [v for v in self._vault.list_versions(name) if not v.by_app and v.created_at > since]
            # Within one second the one that was not there before is the newer one.
            newest = max(by_person, key=lambda v: (v.created_at, v.id not in seen), default=None)
            if newest is None or newest.id in seen:
                break
            self._vault.set_secret(name, self._vault.get_secret(name, newest.id).value)
            seen |= {version.id for version in by_person}
        self._overwrote = None

    def _log_refused(self, error: TokenRefused, secrets: _Secrets | None) -> None:
        kind = kind_of(error.code, error.aadsts)
        at_client = kind is Kind.CLIENT or error.code == f"secret:{self._client_name}"
        event = "auth.credential_invalid" if at_client else "auth.consent_required"
        age_d = None
        if secrets:
            age_d = round((self._clock.now() - secrets.refresh.version.created_at) / timedelta(days=1), 2)
        emit(logging.ERROR, event, oauth_error=error.code, aadsts=error.aadsts, secret_age_d=age_d)
