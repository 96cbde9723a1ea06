"""A person's sign-in in a browser: the authorization endpoint and its codes (RFC 6749, 4.1; RFC 7636; RFC 8252, 7.3).

Somebody signs in at once, with MFA. A browser that acts otherwise says so in the address: `_mfa=no`, or
`_error=access_denied` for a person who declines.
"""

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from urllib.parse import urlencode

from local.partner_center.aadsts import ERRORS, TokenError

CODE_LIFETIME_S = 600
DECLINED = 65004
# The one address that is registered; its port does not count.
_REDIRECT = re.compile(r"http://localhost(:\d{1,5})?/?")


@dataclass(frozen=True)
class SignedIn:
    """What an authorization code stands for. `challenge` is empty where none was sent."""

    redirect_uri: str
    challenge: str
    nonce: str
    amr: tuple[str, ...]
    expires_s: float


@dataclass(frozen=True)
class Answer:
    """What the browser brings to `redirect_uri`: in a form that it posts (`by_form`), or in the address."""

    redirect_uri: str
    fields: Mapping[str, str]
    by_form: bool

    @property
    def address(self) -> str:
        return f"{self.redirect_uri}?{urlencode(self.fields)}"

    @property
    def page(self) -> str:
        """Posts itself ("OAuth 2.0 Form Post Response Mode")."""
        inputs = "".join(
            f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in self.fields.items()
        )
        form = f'<form method="post" action="{escape(self.redirect_uri)}">{inputs}</form>'
        return f"<!DOCTYPE html><title>Sign in</title>{form}<script>document.forms[0].submit()</script>"


@dataclass
class AuthorizationCodes:
    """The codes of one authority, each good for one use; a restart forgets them."""

    clock: Callable[[], float]
    _open: dict[str, SignedIn] = field(default_factory=dict)
    _redeemed: set[str] = field(default_factory=set)

    def answer(self, query: Mapping[str, str]) -> Answer:
        """Where the browser of a known app is sent.

        Raises:
            TokenError: nobody may be sent anywhere; the person sees the error.
        """
        redirect_uri, mode = query.get("redirect_uri", ""), query.get("response_mode", "query")
        if not _REDIRECT.fullmatch(redirect_uri):
            raise TokenError(50011)
        if mode not in ("query", "form_post"):
            raise TokenError(70007)
        fields = _declined(query["_error"]) if "_error" in query else {"code": self._issued(query, redirect_uri)}
        if "state" in query:
            fields["state"] = query["state"]
        return Answer(redirect_uri, fields, by_form=mode == "form_post")

    def redeem(self, form: Mapping[str, str]) -> SignedIn:
        """
        Raises:
            TokenError: not this code, not any more, or not from whoever asked for it.
        """
        code = form.get("code", "")
        if code in self._redeemed:
            raise TokenError(54005)
        signed_in = self._open.get(code)
        if signed_in is None:
            raise TokenError(70000)
        if signed_in.expires_s <= self.clock():
            raise TokenError(70008)
        if form.get("redirect_uri") != signed_in.redirect_uri:
            raise TokenError(500112)
        if signed_in.challenge and _challenge(form.get("code_verifier", "")) != signed_in.challenge:
            raise TokenError(501481)
        del self._open[code]
        self._redeemed.add(code)
        return signed_in

    def _issued(self, query: Mapping[str, str], redirect_uri: str) -> str:
        _check(query)
        code = f"1.{secrets.token_urlsafe(96)}"
        self._open[code] = SignedIn(
            redirect_uri=redirect_uri,
            challenge=query.get("code_challenge", ""),
            nonce=query.get("nonce", ""),
            amr=("pwd",) if query.get("_mfa") == "no" else ("pwd", "mfa"),
            expires_s=self.clock() + CODE_LIFETIME_S,
        )
        return code


def id_token(claims: Mapping[str, object]) -> str:
    """An unsecured JWT (RFC 7519, 6): it comes over TLS from its issuer, and clients decode it without a check."""
    parts = (json.dumps({"typ": "JWT", "alg": "none"}), json.dumps(claims))
    return ".".join([*(_encoded(part.encode()) for part in parts), ""])


def _check(query: Mapping[str, str]) -> None:
    if query.get("response_type") != "code":
        raise TokenError(70005)
    if "code_challenge" in query and query.get("code_challenge_method") != "S256":
        raise TokenError(50147)


def _declined(error: str) -> dict[str, str]:
    return {"error": error, "error_description": f"AADSTS{DECLINED}: {ERRORS[DECLINED][1]}"}


def _challenge(verifier: str) -> str:
    return _encoded(hashlib.sha256(verifier.encode()).digest())


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
