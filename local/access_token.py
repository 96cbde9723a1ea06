"""The access tokens of the local cloud: unsecured JSON Web Tokens (RFC 7519, section 6) with Entra's v1.0 claims.

Whoever takes them (Azurite, our key vault) looks at issuer, audience and times and at no signature, so there is none.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

TENANT_ID = "7a2f0d0e-6b1c-4c57-9a53-0c8d1e5f4b21"
CLIENT_ID = "3c9be1a4-52f7-4e0b-8d16-b7a0c2d95e38"
ISSUER = f"https://sts.windows.net/{TENANT_ID}/"


class InvalidTokenError(Exception):
    """The token is none of ours, or not for this audience and this moment; the message says which."""


def issue(audience: str, *, now: int, lifetime_s: int) -> str:
    """A token for the local managed identity, valid from `now` (Unix time)."""
    claims = {"aud": audience, "iss": ISSUER, "iat": now, "nbf": now, "exp": now + lifetime_s}
    who = {"appid": CLIENT_ID, "oid": CLIENT_ID, "sub": CLIENT_ID, "tid": TENANT_ID, "idtyp": "app", "ver": "1.0"}
    return f"{_encode({'typ': 'JWT', 'alg': 'none'})}.{_encode({**claims, **who})}."


def check(token: str, *, audience: str, now: float) -> None:
    """
    Raises:
        InvalidTokenError: this service may not accept it now.
    """
    claims = _claims(token)
    if claims.get("iss") != ISSUER:
        raise InvalidTokenError(f"Issuer validation failed: {claims.get('iss')}.")
    if claims.get("aud") != audience:
        raise InvalidTokenError(f"Invalid audience. Expected {audience}, found: {claims.get('aud')}.")
    if not claims["nbf"] <= now < claims["exp"]:
        raise InvalidTokenError("Lifetime validation failed. The token is expired or not valid yet.")


def _encode(part: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def _claims(token: str) -> Mapping[str, Any]:
    try:
        encoded = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (IndexError, ValueError):
        claims = None
    if not isinstance(claims, dict):
        raise InvalidTokenError("The token is not a JSON Web Token.")
    return claims
