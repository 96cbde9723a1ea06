"""Sign-ins, refresh tokens and access tokens of the App+User flow ("Secure application model", RFC 6749, 6).

Tokens are kept as hashes only. A refresh token can be used until it ends; each use returns another one, with the claims
of the same sign-in.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from local.partner_center.aadsts import TokenError
from local.partner_center.authorization import Answer, AuthorizationCodes, id_token
from local.partner_center.clients import Client
from local.partner_center.journal import Event, Journal
from local.partner_center.ledger import Ledger
from local.partner_center.replies import Reply, error_reply
from local.partner_center.switches import SwitchBoard

REFRESH_TOKEN_LIFETIME_S = 90 * 24 * 3600
PERSON = "consent@partner.example"
PERMISSION = "/user_impersonation"
RESERVED_SCOPES = {"openid", "profile", "offline_access", "email"}
_GRANT_ERRORS = {"invalid_grant": 50173, "invalid_client": 7000222}


@dataclass(frozen=True)
class Grant:
    """What a token stands for."""

    amr: tuple[str, ...]
    expires_s: float
    app_only: bool = False
    revoked: bool = False

    @property
    def mfa(self) -> bool:
        return "mfa" in self.amr


@dataclass(frozen=True)
class TokenReply:
    http: int
    document: Mapping[str, Any]


@dataclass(frozen=True)
class Authority:
    """One tenant's token endpoint, and its one app registration."""

    tenant: str
    client: Client
    board: SwitchBoard
    ledger: Ledger
    tokens: "Tokens"
    clock: Callable[[], float]
    codes: AuthorizationCodes

    def authorize(self, tenant: str, query: Mapping[str, str]) -> Answer:
        """Where a browser is sent from the authorization endpoint. Raises TokenError: nowhere."""
        with self.tokens.lock:
            if tenant.lower() != self.tenant.lower():
                raise TokenError(90002)
            if query.get("client_id", "").lower() != self.client.id:
                raise TokenError(700016)
            _scope(query, PERMISSION)
            return self.codes.answer(query)

    def exchange(self, tenant: str, form: Mapping[str, str], *, endpoint: str) -> TokenReply:
        """Answers one token request that was sent to the URL `endpoint`."""
        grant = form.get("grant_type", "")
        now_s = self.clock()
        with self.tokens.lock:
            try:
                document = self._granted(tenant, form, endpoint)
            except TokenError as error:
                self.ledger.token(now_s, grant=grant, outcome=error.error, aadsts=error.aadsts)
                return TokenReply(error.http, error.document(now_s))
            self.ledger.token(now_s, grant=grant, outcome="issued")
            return TokenReply(200, document)

    def _granted(self, tenant: str, form: Mapping[str, str], endpoint: str) -> Mapping[str, Any]:
        trouble = self.board.switches.token_error
        if trouble is not None:
            raise TokenError(_GRANT_ERRORS[trouble] if isinstance(trouble, str) else trouble)
        if tenant.lower() != self.tenant.lower():
            raise TokenError(90002)
        self.client.authenticate(form, audience=endpoint, now_s=self.clock())
        match form.get("grant_type"):
            case "refresh_token":
                return self._refreshed(form)
            case "authorization_code":
                return self._redeemed(form, issuer=f"{endpoint.rpartition('/oauth2/')[0]}/v2.0")
            case "client_credentials":
                return self._issued(_scope(form, "/.default"), (), app_only=True)
        raise TokenError(70003)

    def _refreshed(self, form: Mapping[str, str]) -> Mapping[str, Any]:
        scope = _scope(form, PERMISSION)
        sign_in = self.tokens.refresh_grant(form.get("refresh_token", ""))
        if sign_in is None:
            raise TokenError(70000)
        if sign_in.revoked:
            raise TokenError(50173)
        if sign_in.expires_s <= self.clock():
            raise TokenError(700082)
        issued = self._issued(scope, sign_in.amr)
        return {**issued, "refresh_token": self.tokens.issue_refresh(sign_in.amr)}

    def _redeemed(self, form: Mapping[str, str], *, issuer: str) -> Mapping[str, Any]:
        scope = _scope(form, PERMISSION)
        signed_in = self.codes.redeem(form)
        issued = self._issued(scope, signed_in.amr)
        now_s = int(self.clock())
        claims = {"iss": issuer, "aud": self.client.id, "tid": self.tenant, "nonce": signed_in.nonce}
        claims |= {"sub": "a-person", "preferred_username": PERSON}
        identity = id_token({**claims, "iat": now_s, "exp": now_s + int(issued["expires_in"])})
        return {**issued, "refresh_token": self.tokens.issue_refresh(signed_in.amr), "id_token": identity}

    def _issued(self, scope: str, amr: tuple[str, ...], *, app_only: bool = False) -> dict[str, Any]:
        lifetime_s = self.board.switches.access_token_lifetime_s
        claims = {"aud": scope.rpartition("/")[0], "tid": self.tenant, "appid": self.client.id, "amr": list(amr)}
        token = self.tokens.issue_access(Grant(amr, self.clock() + lifetime_s, app_only), claims)
        lifetimes = {"expires_in": int(lifetime_s), "ext_expires_in": int(lifetime_s)}
        return {"token_type": "Bearer", "scope": scope, **lifetimes, "access_token": token}


def _scope(form: Mapping[str, str], suffix: str) -> str:
    """The one scope that is asked for besides the reserved ones; its resource may be of any cloud."""
    scopes = set(form.get("scope", "").split()) - RESERVED_SCOPES
    if len(scopes) != 1 or not (scope := scopes.pop()).endswith(suffix):
        raise TokenError(70011)
    return scope


class Tokens:
    """The tokens that were issued."""

    def __init__(self, journal: Journal, board: SwitchBoard, clock: Callable[[], float]) -> None:
        self.lock = journal.lock
        self._journal = journal
        self._board = board
        self._clock = clock
        self._access: dict[str, Grant] = {}
        self._refresh: dict[str, Grant] = {}
        journal.on("access token", lambda event: self._access.update({event["hash"]: _grant(event)}))
        journal.on("refresh token", lambda event: self._refresh.update({event["hash"]: _grant(event)}))
        journal.on("revoked", lambda _: self._access.clear())
        journal.on("refresh tokens revoked", lambda _: self._revoke_refresh_tokens())

    def sign_in(self, *, mfa: bool) -> str:
        """A person consents; returns the refresh token of this sign-in."""
        return self.issue_refresh(("pwd", "mfa") if mfa else ())

    def issue_refresh(self, amr: tuple[str, ...]) -> str:
        token = f"1.{secrets.token_urlsafe(96)}"
        self._record("refresh token", token, Grant(amr, self._clock() + REFRESH_TOKEN_LIFETIME_S))
        return token

    def issue_access(self, grant: Grant, claims: Mapping[str, object]) -> str:
        """A token that looks like a JWT; its signature means nothing, it is known or not."""
        times = {"iat": int(self._clock()), "exp": int(grant.expires_s)}
        parts = (json.dumps({"typ": "JWT", "alg": "RS256"}), json.dumps({**claims, **times}))
        encoded = (base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)
        token = ".".join([*encoded, secrets.token_urlsafe(256)])
        self._record("access token", token, grant)
        return token

    def revoke_access_tokens(self) -> None:
        self._journal.record("revoked")

    def revoke_refresh_tokens(self) -> None:
        """Those that were issued so far."""
        self._journal.record("refresh tokens revoked")

    def refresh_grant(self, token: str) -> Grant | None:
        return self._refresh.get(_hash(token))

    def access_grant(self, headers: Mapping[str, str]) -> Grant | None:
        """What the Authorization header stands for, if its token was issued, lives, and was not revoked."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        grant = self._access.get(_hash(token.strip())) if scheme.lower() == "bearer" else None
        return grant if grant and grant.expires_s > self._clock() else None

    def refusal(self, headers: Mapping[str, str]) -> Reply | None:
        """The API's answer to a call that may not be made with this header."""
        grant = self.access_grant(headers)
        if grant is None and not headers.get("authorization"):
            return error_reply(401, 400, "The access token is missing.")
        if grant is None:
            return error_reply(401, 800001, "The access token is not valid.")
        if grant.app_only:
            return error_reply(403, 900329, "App-only access is not allowed; use App+User.")
        if self._board.switches.require_mfa and not grant.mfa:
            return error_reply(401, 900421, "The access token has no multi-factor authentication claim.")
        return None

    def _revoke_refresh_tokens(self) -> None:
        self._refresh = {key: replace(grant, revoked=True) for key, grant in self._refresh.items()}

    def _record(self, kind: str, token: str, grant: Grant) -> None:
        self._journal.record(
            kind, hash=_hash(token), amr=list(grant.amr), expiresS=grant.expires_s, appOnly=grant.app_only
        )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _grant(event: Event) -> Grant:
    return Grant(tuple(event["amr"]), event["expiresS"], event["appOnly"])
