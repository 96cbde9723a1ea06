"""What the exchange sends, and what it makes of the token endpoint's answers, with MSAL as it is and no network."""

import base64
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from requests.adapters import BaseAdapter

from shared.credentials import Secret, Version, _Secrets, _Token
from shared.errors import CallFailed, TokenRefused, TokenUnavailable
from shared.settings import Settings
from shared.sign_in import Kind, SignIn, Tokens, _refusal, certificate, kind_of
from tests.fakes import settings

GLOBAL_API = "https://api.partnercenter.microsoft.com"
# The vendor's errors by their AADSTS numbers: with the OAuth error that is documented for each, and what it asks for.
ERRORS = [
    *((number, "invalid_grant", Kind.CONSENT) for number in (70008, 700082, 70000, 50173, 70043, 65001, 50057, 50105)),
    *((number, "interaction_required", Kind.CONSENT) for number in (50076, 50078, 50079, 50074, 50158)),
    *((number, "invalid_client", Kind.CLIENT) for number in (7000215, 7000222, 700027)),
    *((number, "invalid_grant", Kind.POLICY) for number in (53003, 530035, 53000)),
    *((number, "temporarily_unavailable", Kind.LATER) for number in (50033, 90006, 90012, 90024, 90033, 90055)),
    (50196, "invalid_grant", Kind.LATER),
]


class Endpoint(BaseAdapter):
    """An authority that says what a test wants, and remembers what it was sent."""

    def __init__(self, http_status: int = 200, content: object = None) -> None:
        super().__init__()
        self.http_status, self.content = http_status, content
        self.posts: list[tuple[str, dict[str, list[str]]]] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        url = str(request.url)
        if request.method == "POST":
            self.posts.append((url, parse_qs(str(request.body))))
            return self._answer(request, self.http_status, self.content)
        tenant_url = url.partition("/v2.0/")[0]
        return self._answer(request, 200, _discovery(tenant_url))

    def close(self) -> None:
        """Nothing is open."""

    def _answer(self, request: requests.PreparedRequest, http_status: int, content: object) -> requests.Response:
        answer = requests.Response()
        answer.status_code = http_status
        answer.url = str(request.url)
        answer.encoding = "utf-8"
        answer.raw = io.BytesIO(content if isinstance(content, bytes) else json.dumps(content).encode())
        return answer


def _discovery(tenant_url: str) -> dict[str, str]:
    return {
        "issuer": f"{tenant_url}/v2.0",
        "authorization_endpoint": f"{tenant_url}/oauth2/v2.0/authorize",
        "token_endpoint": f"{tenant_url}/oauth2/v2.0/token",
    }


def exchange(endpoint: Endpoint, given: Settings | None = None) -> Tokens:
    with requests.Session() as session:
        session.trust_env = False
        session.mount("https://", endpoint)
        return SignIn(session, given or settings()).exchange("client secret", "refresh token")


def failure(endpoint: Endpoint) -> CallFailed:
    with pytest.raises(CallFailed) as found:
        exchange(endpoint)
    return found.value


def jwt(payload: object) -> str:
    encoded = base64.urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip("=")
    return f"e30.{encoded}.signature"


def granted(**changed: object) -> dict[str, object]:
    return {"token_type": "Bearer", "access_token": "t", "refresh_token": "r2", "expires_in": 3600} | changed


# What is sent


@pytest.mark.parametrize(
    ("authority", "api", "resource"),
    [
        ("https://login.microsoftonline.com", GLOBAL_API, GLOBAL_API),
        ("https://login.microsoftonline.us", GLOBAL_API, GLOBAL_API),
        *[("https://login.chinacloudapi.cn", *["https://partner.partnercenterapi.microsoftonline.cn"] * 2)],
        ("https://127.0.0.1:21001", "http://127.0.0.1:21000", GLOBAL_API),
    ],
    ids=["global", "US government", "21Vianet", "local"],
)
def test_each_cloud_has_its_authority_and_its_scope(authority: str, api: str, resource: str) -> None:
    given = settings(authority_url=authority, partner_center_url=api)
    endpoint = Endpoint(content=granted())
    exchange(endpoint, given)
    ((url, form),) = endpoint.posts
    assert url.partition("?")[0] == f"{authority}/{given.partner_tenant_id}/oauth2/v2.0/token"
    scopes = form["scope"][0].split()
    assert f"{resource}/user_impersonation" in scopes
    assert "offline_access" in scopes
    assert not [scope for scope in scopes if "://" in scope and urlsplit(scope).netloc != urlsplit(resource).netloc]
    assert form["grant_type"] == ["refresh_token"]
    assert form["refresh_token"] == ["refresh token"]
    assert form["client_id"] == [given.partner_client_id]
    assert form["client_secret"] == ["client secret"]


def test_without_settings_of_its_own_the_app_is_in_the_global_cloud() -> None:
    endpoint = Endpoint(content=granted())
    exchange(endpoint)
    ((url, form),) = endpoint.posts
    assert urlsplit(url).netloc == "login.microsoftonline.com"
    assert f"{GLOBAL_API}/user_impersonation" in form["scope"][0].split()


# Errors


@pytest.mark.parametrize(("aadsts", "error", "kind"), ERRORS, ids=str)
def test_every_documented_error_is_refused_or_later(aadsts: int, error: str, kind: Kind) -> None:
    assert kind_of(error, aadsts) is kind
    found = _refusal({"error": error, "error_codes": [aadsts], "error_description": "Somebody <who@example.org>"})
    assert type(found) is (TokenUnavailable if kind is Kind.LATER else TokenRefused)
    assert f"AADSTS{aadsts}" in found.description
    assert "example.org" not in f"{found} {vars(found)}"
    if isinstance(found, TokenRefused):
        assert (found.code, found.aadsts) == (error, aadsts)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("invalid_grant", Kind.CONSENT),
        ("interaction_required", Kind.CONSENT),
        ("invalid_client", Kind.CLIENT),
        ("unauthorized_client", Kind.CLIENT),
        ("invalid_certificate", Kind.CLIENT),
        ("temporarily_unavailable", Kind.LATER),
        ("server_error", Kind.LATER),
        ("slow_down", Kind.LATER),
        ("never_heard_of", Kind.CONSENT),
    ],
)
@pytest.mark.parametrize("aadsts", [None, 99999])
def test_the_oauth_error_decides_where_the_number_is_unknown(error: str, aadsts: int | None, kind: Kind) -> None:
    assert kind_of(error, aadsts) is kind


@pytest.mark.parametrize("codes", [None, [], ["AADSTS70000"], 70000, {"a": 1}])
def test_a_refusal_may_come_without_its_number(codes: object) -> None:
    error = failure(Endpoint(400, {"error": "invalid_grant", "error_codes": codes}))
    assert isinstance(error, TokenRefused)
    assert (error.code, error.aadsts) == ("invalid_grant", None)


@pytest.mark.parametrize(
    ("http_status", "content"),
    [
        (200, b"<html>"),
        (200, b""),
        (200, b"\xff\xfe"),
        (200, None),
        (200, []),
        (200, {}),
        (200, granted(access_token=None)),
        (200, granted(access_token=7)),
        (200, granted(access_token="")),
        (200, granted(expires_in="soon")),
        (200, granted(expires_in=[])),
        (200, granted(expires_in=None)),
        (200, granted(expires_in=float("inf"))),
        (200, granted(expires_in=float("nan"))),
        (200, b"[" * 100_000),
        (200, b" " * (1024 * 1024 + 1)),
        (302, b""),
        (400, {}),
        (400, b"<html>"),
        (400, {"error": ""}),
        (429, {"error": "invalid_request"}),
        (429, b""),
        (400, {"error": "invalid_request", "error_codes": [50033]}),
        (500, {"error": "invalid_grant", "error_codes": [70000]}),
        (503, {"error": "server_error", "error_codes": [90033]}),
    ],
    ids=lambda value: str(value)[:60],
)
def test_an_answer_that_is_no_token_and_no_refusal_is_an_outage(http_status: int, content: object) -> None:
    assert type(failure(Endpoint(http_status, content))) is TokenUnavailable


# Tokens


@pytest.mark.parametrize("expires_in", [3600, "3600"])
def test_an_answer_gives_both_tokens_and_their_lifetime(expires_in: object) -> None:
    tokens = exchange(Endpoint(content=granted(expires_in=expires_in)))
    assert tokens == Tokens("t", "r2", 3600, None)


@pytest.mark.parametrize("refresh_token", [None, 7, []])
def test_an_answer_may_lack_a_new_refresh_token(refresh_token: object) -> None:
    tokens = exchange(Endpoint(content=granted(refresh_token=refresh_token)))
    assert (tokens.access_token, tokens.refresh_token) == ("t", None)


@pytest.mark.parametrize(
    ("token", "amr"),
    [
        (jwt({"amr": ["pwd", "mfa"]}), ("pwd", "mfa")),
        (jwt({"amr": []}), ()),
        (jwt({}), None),
        (jwt({"amr": "mfa"}), None),
        (jwt({"amr": None}), None),
        (jwt([]), None),
        (jwt(None), None),
        ("opaque", None),
        ("a.%%%.c", None),
        ("a.é.c", None),
    ],
)
def test_how_the_person_signed_in_is_known_where_the_token_shows_it(token: str, amr: tuple[str, ...] | None) -> None:
    assert exchange(Endpoint(content=granted(access_token=token))).amr == amr


# Certificates


def elliptic() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a client secret",
        "é",
        base64.b64encode(b"no PKCS#12").decode(),
        "-----BEGIN",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        elliptic(),
    ],
    ids=["empty", "secret", "not ASCII", "base64", "begin", "certificate alone", "key alone", "no certificate"],
)
def test_what_is_no_certificate_with_its_key_is_refused(value: str) -> None:
    with pytest.raises(TokenRefused) as found:
        certificate(value)
    assert found.value.code == "invalid_certificate"
    assert kind_of(found.value.code, None) is Kind.CLIENT
    assert not value or value not in f"{found.value!r} {vars(found.value)}"


# What is shown


def test_no_representation_shows_a_value() -> None:
    version = Version("1", datetime(2026, 3, 1, tzinfo=UTC))
    secret = Secret("s3cret-a", version)
    shown = [secret, _Secrets(secret, replace(secret, value="s3cret-b")), _Token("s3cret-c", 1.0), version]
    shown += [Tokens("s3cret-d", "s3cret-e", 60, ("mfa",))]
    assert not [text for text in map(repr, shown) if "s3cret" in text]
