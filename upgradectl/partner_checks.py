"""The two secrets, the sign-in that they make, and what Partner Center thinks of it."""

from datetime import datetime, timedelta

from azure.core.exceptions import HttpResponseError

from shared.errors import AccessDenied, CallFailed, Throttled
from shared.sign_in import Tokens, certificate
from upgradectl import reach_checks
from upgradectl.azure_checks import IDENTITY
from upgradectl.connections import Connections
from upgradectl.diagnosis import Check, Finding, failed, ok, warning
from upgradectl.errors import answered, explained, remedy_of_403
from upgradectl.probe import probe
from upgradectl.vault import StoredSecret

CLIENT, REFRESH, SIGN_IN, MFA = "client credential", "refresh token", "Partner Center sign-in", "MFA"
_CONSENT = "run `upgradectl consent`"
_NOT_RENEWED_D = 7  # the app renews it every TOKEN_RENEW_H
_LIFETIME_D = 90
_EXPIRY_NOTED_D = 30


class PartnerChecks:
    """What an earlier check has found, a later one uses."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._settings = connections.settings
        self._client: StoredSecret | None = None
        self._refresh: StoredSecret | None = None
        self._tokens: Tokens | None = None

    def checks(self) -> tuple[Check, ...]:
        vault = (reach_checks.VAULT, IDENTITY)
        sign_in = (reach_checks.SIGN_IN, "PARTNER_TENANT_ID", "PARTNER_CLIENT_ID", CLIENT, REFRESH)
        return (
            Check(CLIENT, self._client_credential, vault),
            Check(REFRESH, self._refresh_token, vault),
            Check("Key Vault: write", self._may_write, vault),
            Check(SIGN_IN, self._sign_in, sign_in),
            Check(MFA, self._mfa, (SIGN_IN,)),
            Check("Partner Center", self._partner_center, (reach_checks.PARTNER_CENTER, SIGN_IN, MFA)),
        )

    @property
    def _client_name(self) -> str:
        return self._settings.client_certificate_name or self._settings.client_secret_name

    def _client_credential(self) -> Finding:
        found = self._secret(self._client_name, "upgradectl consent --set-secret")
        if isinstance(found, Finding):
            return found
        if self._settings.client_certificate_name:
            certificate(found.value)
        self._client = found
        return expiry_found(found, self._connections.clock.now())

    def _refresh_token(self) -> Finding:
        found = self._secret(self._settings.refresh_token_secret_name, "upgradectl consent")
        if isinstance(found, Finding):
            return found
        self._refresh = found
        return age_found(found, self._connections.clock.now())

    def _secret(self, name: str, remedy: str) -> StoredSecret | Finding:
        try:
            found = self._connections.vault.get(name)
        except HttpResponseError as error:
            if error.status_code != 403:
                raise
            scope = f"the secret {name}"
            return failed(f"reading {name} is {answered(error)}", remedy_of_403(error, "Key Vault Secrets User", scope))
        if found is None:
            return failed(f"Key Vault holds no {name}", f"run `{remedy}`")
        return failed(f"{name} is the deployment's placeholder", f"run `{remedy}`") if found.is_placeholder else found

    def _may_write(self) -> Finding:
        """Setting a secret cannot be tried without an effect, so its neighbour in the same role is."""
        name = self._settings.refresh_token_secret_name
        try:
            self._connections.vault.try_update(name)
        except HttpResponseError as error:
            if error.status_code != 403:
                raise
            remedy = remedy_of_403(error, "Key Vault Secrets Officer", f"the secret {name}")
            return warning(f"changing {name} is {answered(error)}", f"administrators: {remedy}")
        return ok("may be changed (tried on a version that does not exist; storing one was not tried)")

    def _sign_in(self) -> Finding:
        """The exchange that the app makes, but for the write-back: the old refresh token stays valid."""
        assert self._client
        assert self._refresh
        value = self._client.value
        credential = certificate(value) if self._settings.client_certificate_name else value
        try:
            self._tokens = self._connections.sign_in.exchange(credential, self._refresh.value)
        except CallFailed as error:
            trouble = explained(error)
            return failed(trouble.message, trouble.remedy)
        return ok("an access token was issued; nothing was written back")

    def _mfa(self) -> Finding:
        assert self._tokens
        if self._tokens.amr is None:
            return warning("the access token does not show how its person signed in", "see the check Partner Center")
        if "mfa" not in self._tokens.amr:
            return failed("the person signed in without MFA: every call is refused", f"{_CONSENT}, with MFA")
        return ok("the person signed in with MFA")

    def _partner_center(self) -> Finding:
        assert self._tokens
        found = probe(self._connections.session, self._settings, self._tokens.access_token, self._connections.clock)
        if found.is_mfa_compliant is False:
            return failed("it says that the sign-in is not MFA compliant", f"{_CONSENT}, with MFA")
        match found.refusal:
            case Throttled():
                return warning("throttled", "wait: the app does so by itself")
            case AccessDenied() if found.is_accepted:
                remedy = "it may be about the made-up customer; if the gate closes: the account's Admin agent role"
                return warning(found.shown, remedy)
        if found.is_accepted is None:
            return failed(found.shown, "an outage, or something in between: try again later")
        if not found.is_accepted:
            return failed(found.shown, f"{_CONSENT}, with an account that has the Admin agent role")
        return ok(f"{found.shown} for a made-up customer")


def age_found(secret: StoredSecret, now: datetime) -> Finding:
    """Of the refresh token: an app that works renews it every day."""
    age_d = (now - secret.created_at) / timedelta(days=1) if secret.created_at else 0
    detail = f"{age_d:.1f} days old"
    if age_d >= _LIFETIME_D:
        return failed(detail, f"{_CONSENT}: it lived for {_LIFETIME_D} days")
    if age_d >= _NOT_RENEWED_D:
        return warning(detail, "the app should have renewed it: does PollUpgrade run, and may it write the secret?")
    return ok(detail)


def expiry_found(secret: StoredSecret, now: datetime) -> Finding:
    """Of the client credential, as far as Key Vault knows when it ends."""
    if secret.expires_at is None:
        return ok("present; Key Vault does not know when it ends")
    left_d = (secret.expires_at - now) / timedelta(days=1)
    remedy = "make a new one in the app registration, and store it"
    if left_d <= 0:
        return failed(f"ended {-left_d:.0f} days ago", remedy)
    return (
        warning(f"ends in {left_d:.0f} days", remedy) if left_d < _EXPIRY_NOTED_D else ok(f"ends in {left_d:.0f} days")
    )
