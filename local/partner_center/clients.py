"""The app registration: whether a token request is the app's own (RFC 6749, 2.3; for certificates RFC 7523)."""

import hmac
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import load_pem_x509_certificate

from local.partner_center.aadsts import TokenError
from local.partner_center.journal import Event, Journal

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
CLOCK_SKEW_S = 300


class Client:
    """Its secret and its certificate can change at any time, as they do when an operator replaces them."""

    def __init__(self, journal: Journal, client_id: str) -> None:
        self.id = client_id.lower()
        self.secret = ""
        self._public_key: RSAPublicKey | None = None
        self._journal = journal
        journal.on("client", self._apply)

    def register(self, *, secret: str | None = None, certificate: str | None = None) -> None:
        """Replaces the secret, the certificate (PEM) or both.

        Raises:
            ValueError: it is no certificate with an RSA key.
        """
        if certificate is not None:
            _public_key(certificate)
        self._journal.record("client", secret=secret, certificate=certificate)

    def authenticate(self, form: Mapping[str, str], *, audience: str, now_s: float) -> None:
        """Checks the secret or the assertion of a token request to the endpoint `audience`.

        Raises:
            TokenError: it is not the app.
        """
        if form.get("client_id", "").lower() != self.id:
            raise TokenError(700016)
        if "client_secret" in form:
            if not hmac.compare_digest(form["client_secret"].encode(), self.secret.encode()):
                raise TokenError(7000215)
        elif form.get("client_assertion_type") == ASSERTION_TYPE:
            self._check_assertion(form.get("client_assertion", ""), audience, now_s)
        else:
            raise TokenError(7000216)

    def _check_assertion(self, assertion: str, audience: str, now_s: float) -> None:
        claims = self._claims(assertion)
        if any(str(claims.get(name, "")).lower() != self.id for name in ("iss", "sub")):
            raise TokenError(700021)
        if claims.get("aud") != audience:
            raise TokenError(700023)
        begins_s, ends_s = claims.get("nbf", 0), claims.get("exp", 0)
        if not begins_s - CLOCK_SKEW_S <= now_s < ends_s + CLOCK_SKEW_S:
            raise TokenError(700024)

    def _claims(self, assertion: str) -> dict[str, Any]:
        # The times are judged by our own clock; without a registered certificate there is no signature to check.
        options: Any = {"verify_signature": self._public_key is not None}
        options |= dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat", "verify_aud"), False)
        try:
            return jwt.decode(assertion, self._public_key or "", algorithms=["RS256", "PS256"], options=options)
        except jwt.InvalidTokenError as error:
            raise TokenError(700027) from error

    def _apply(self, event: Event) -> None:
        if event["secret"] is not None:
            self.secret = event["secret"]
        if event["certificate"] is not None:
            self._public_key = _public_key(event["certificate"])


def _public_key(certificate: str) -> RSAPublicKey:
    key = load_pem_x509_certificate(certificate.encode()).public_key()
    if not isinstance(key, RSAPublicKey):
        raise ValueError("the certificate has no RSA key")  # noqa: TRY004  # the content is wrong, not the type
    return key
