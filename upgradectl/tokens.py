"""The app's own access token for Partner Center, in an operator's hands: nothing is written back to Key Vault."""

import threading

from shared.clock import Clock
from shared.errors import TokenRefused
from shared.settings import Settings
from shared.sign_in import SignIn, certificate
from upgradectl.vault import OperatorVault

_RENEW_BEFORE_END_S = 300


class OperatorTokens:
    """`partner_center.TokenSource`. Safe to be used by many threads: one exchange at a time."""

    def __init__(self, vault: OperatorVault, sign_in: SignIn, clock: Clock, settings: Settings) -> None:
        self._vault = vault
        self._sign_in = sign_in
        self._clock = clock
        self._settings = settings
        self._lock = threading.Lock()
        self._token: str | None = None
        self._renew_at = 0.0  # Clock.monotonic

    def get_token(self) -> str:
        """An access token with some life left.

        Raises:
            TokenUnavailable: the token endpoint does not answer.
            TokenRefused: a person must act.
            HttpResponseError: Key Vault refuses.
        """
        with self._lock:
            if self._token is None or self._clock.monotonic() >= self._renew_at:
                name = self._settings.client_certificate_name or self._settings.client_secret_name
                credential, refresh_token = self._read(name), self._read(self._settings.refresh_token_secret_name)
                made = self._sign_in.exchange(
                    certificate(credential) if self._settings.client_certificate_name else credential, refresh_token
                )
                self._token = made.access_token
                self._renew_at = self._clock.monotonic() + max(made.lifetime_s - _RENEW_BEFORE_END_S, 1)
            return self._token

    def drop_token(self, token: str) -> None:
        with self._lock:
            if self._token == token:
                self._token = None

    def _read(self, name: str) -> str:
        found = self._vault.get(name)
        if found is None or found.is_placeholder:
            raise TokenRefused(f"Key Vault holds no {name} yet", code=f"secret:{name}")
        return found.value
