"""The fake Partner Center's token endpoint, and what its tokens are worth at the API."""

import base64
import json
from dataclasses import replace
from typing import Any

import jwt
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from local.partner_center.clients import ASSERTION_TYPE
from tests.unit.fake_partner_center import CLIENT_ID, ENDPOINT, SCOPE, SECRET, TENANT, Driver, summary

DAY_S = 24 * 3600
API = "https://api.partnercenter.microsoft.com"


@pytest.fixture
def driver() -> Driver:
    return Driver()


@pytest.fixture(scope="module")
def certificate() -> trustme.LeafCert:
    return trustme.CA(key_type=trustme.KeyType.RSA).issue_cert("app.test", key_type=trustme.KeyType.RSA)


def _assertion(driver: Driver, certificate: trustme.LeafCert, **changes: Any) -> str:
    now_s = int(driver.clock.now_s)
    claims = {"iss": CLIENT_ID, "sub": CLIENT_ID, "aud": ENDPOINT, "nbf": now_s, "exp": now_s + 600} | changes
    key: Any = load_pem_private_key(certificate.private_key_pem.bytes(), None)
    return jwt.encode(claims, key, algorithm="PS256")


def _certificate_request(driver: Driver, assertion: str) -> tuple[int, int | None]:
    http, document = driver.token(client_secret=None, client_assertion_type=ASSERTION_TYPE, client_assertion=assertion)
    return http, document.get("error_codes", [None])[0]


def test_each_use_of_a_refresh_token_returns_a_new_one_and_the_old_one_stays_valid(driver: Driver) -> None:
    tokens = {driver.refresh_token}
    for token in (driver.refresh_token, driver.refresh_token):
        http, document = driver.token(refresh_token=token)
        assert http == 200
        tokens.add(document["refresh_token"])
    assert len(tokens) == 3
    assert all(driver.token(refresh_token=token)[0] == 200 for token in tokens)


def test_a_refresh_token_ends_after_90_days_in_spite_of_its_use(driver: Driver) -> None:
    driver.clock.now_s += 60 * DAY_S
    _, document = driver.token()
    driver.clock.now_s += 30 * DAY_S
    http, refused = driver.token()
    assert (http, refused["error"], refused["error_codes"]) == (400, "invalid_grant", [700082])
    assert refused["error_description"].startswith("AADSTS700082: ")
    assert driver.token(refresh_token=document["refresh_token"])[0] == 200


def test_an_unknown_refresh_token_is_refused(driver: Driver) -> None:
    http, document = driver.token(refresh_token="never issued")
    assert (http, document["error"], document["error_codes"]) == (400, "invalid_grant", [70000])
    assert {"correlation_id", "timestamp", "trace_id"} <= set(document)


@pytest.mark.parametrize(
    ("changes", "http", "error", "aadsts"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": "wröng"}, 401, "invalid_client", 7000215),
        ({"client_secret": None}, 401, "invalid_client", 7000216),
        ({"client_id": TENANT}, 400, "unauthorized_client", 700016),
        ({"scope": "https://graph.microsoft.com/User.Read"}, 400, "invalid_scope", 70011),
        ({"scope": "offline_access"}, 400, "invalid_scope", 70011),
        ({"scope": f"{API}/user_impersonation {API}/other"}, 400, "invalid_scope", 70011),
        ({"scope": f"{API}/.default"}, 400, "invalid_scope", 70011),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"refresh_token": None}, 400, "invalid_grant", 70000),
    ],
)
def test_a_wrong_request_is_refused(
    driver: Driver, changes: dict[str, str | None], http: int, error: str, aadsts: int
) -> None:
    status, document = driver.token(**changes)
    assert (status, document["error"], document["error_codes"]) == (http, error, [aadsts])


def test_another_tenant_is_not_served(driver: Driver) -> None:
    reply = driver.world.authority.exchange(CLIENT_ID, {}, endpoint=ENDPOINT)
    assert (reply.http, reply.document["error_codes"]) == (400, [90002])


def test_a_secret_that_was_replaced_is_the_only_one(driver: Driver) -> None:
    driver.world.client.register(secret="a new one")
    assert driver.token()[0] == 401
    assert driver.token(client_secret="a new one")[0] == 200


def test_a_certificate_does_instead_of_a_secret(driver: Driver, certificate: trustme.LeafCert) -> None:
    driver.world.client.register(certificate=certificate.cert_chain_pems[0].bytes().decode())
    assert _certificate_request(driver, _assertion(driver, certificate)) == (200, None)
    assert driver.token()[0] == 200  # the secret is still one


def test_without_a_registered_certificate_an_assertions_claims_are_enough(
    driver: Driver, certificate: trustme.LeafCert
) -> None:
    assert _certificate_request(driver, _assertion(driver, certificate)) == (200, None)
    assert _certificate_request(driver, _assertion(driver, certificate, iss=TENANT)) == (401, 700021)


def test_an_assertion_of_another_certificate_is_refused(driver: Driver, certificate: trustme.LeafCert) -> None:
    other = trustme.CA(key_type=trustme.KeyType.RSA).issue_cert("other.test", key_type=trustme.KeyType.RSA)
    driver.world.client.register(certificate=other.cert_chain_pems[0].bytes().decode())
    assert _certificate_request(driver, _assertion(driver, certificate)) == (401, 700027)
    assert _certificate_request(driver, "no.jwt") == (401, 700027)


@pytest.mark.parametrize(
    ("claims", "aadsts"),
    [
        ({"iss": TENANT}, 700021),
        ({"sub": TENANT}, 700021),
        ({"aud": "https://elsewhere.test"}, 700023),
        ({"exp": 1_000_000_000}, 700024),
        ({"nbf": 3_000_000_000}, 700024),
    ],
)
def test_an_assertions_claims_are_checked(
    driver: Driver, certificate: trustme.LeafCert, claims: dict[str, object], aadsts: int
) -> None:
    driver.world.client.register(certificate=certificate.cert_chain_pems[0].bytes().decode())
    assert _certificate_request(driver, _assertion(driver, certificate, **claims)) == (401, aadsts)


def test_the_api_refuses_what_is_no_live_token(driver: Driver) -> None:
    for authorization in ("Bearer unknown", "Basic abc", "Bearer"):
        driver.authorization = authorization
        assert summary(driver.create()) == "401 800001"
    call = driver.call("create")
    headers = {name: value for name, value in call.headers.items() if name != "authorization"}
    assert summary(driver.answer(replace(call, headers=headers))) == "401 400"
    assert driver.upgrades() == []


def test_an_access_token_ends(driver: Driver) -> None:
    driver.world.board.turn({"access_token_lifetime_s": 90})
    driver.authorization = driver.exchange(driver.refresh_token)
    driver.clock.now_s += 89.5
    assert driver.create().http == 202
    driver.clock.now_s += 1
    assert summary(driver.status()) == "401 800001"


def test_access_tokens_can_be_revoked_all_at_once(driver: Driver) -> None:
    driver.world.tokens.revoke_access_tokens()
    assert summary(driver.create()) == "401 800001"
    driver.authorization = driver.exchange(driver.refresh_token)
    assert driver.create().http == 202


def test_a_refusal_for_the_tokens_sake_is_not_remembered(driver: Driver) -> None:
    call = driver.call("create", authorization="Bearer unknown")
    assert driver.answer(call).http == 401
    assert driver.answer(replace(call, headers={**call.headers, "authorization": driver.authorization})).http == 202


def test_the_claim_of_a_sign_in_without_mfa_stays_missing_in_every_refresh(driver: Driver) -> None:
    _, document = driver.token(refresh_token=driver.world.tokens.sign_in(mfa=False))
    driver.authorization = driver.exchange(document["refresh_token"])
    assert summary(driver.create()) == "401 900421"
    driver.world.board.turn({"require_mfa": False})
    assert driver.create().http == 202


def test_app_only_tokens_are_issued_and_refused_by_the_api(driver: Driver) -> None:
    http, document = driver.token(grant_type="client_credentials", scope=f"{API}/.default", refresh_token=None)
    assert http == 200
    assert "refresh_token" not in document
    driver.authorization = f"Bearer {document['access_token']}"
    assert summary(driver.create()) == "403 900329"


def test_an_access_token_looks_like_a_jwt_of_its_sign_in(driver: Driver) -> None:
    _, document = driver.token()
    assert (document["token_type"], document["expires_in"]) == ("Bearer", 3600)
    _, payload, _ = document["access_token"].split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    assert (claims["aud"], claims["tid"], claims["appid"]) == (API, TENANT, CLIENT_ID)
    assert claims["amr"] == ["pwd", "mfa"]
    assert claims["exp"] == driver.clock.now_s + 3600


@pytest.mark.parametrize(
    ("trouble", "http", "error", "aadsts"),
    [
        ("invalid_grant", 400, "invalid_grant", 50173),
        ("invalid_client", 401, "invalid_client", 7000222),
        (50076, 400, "interaction_required", 50076),
        (53003, 400, "invalid_grant", 53003),
        (90033, 503, "temporarily_unavailable", 90033),
    ],
)
def test_the_token_endpoint_has_trouble_until_it_is_lifted(
    driver: Driver, trouble: str | int, http: int, error: str, aadsts: int
) -> None:
    driver.world.board.turn({"token_error": trouble})
    status, document = driver.token()
    assert (status, document["error"], document["error_codes"]) == (http, error, [aadsts])
    driver.world.board.turn({"token_error": None})
    assert driver.token()[0] == 200


def test_the_ledger_tells_of_token_calls_but_not_the_token(driver: Driver) -> None:
    driver.token(refresh_token="never issued")
    entries = driver.world.service.ledger.since(0)["tokens"]
    assert [(entry["grant"], entry["outcome"], entry["aadsts"]) for entry in entries] == [
        ("refresh_token", "issued", None),
        ("refresh_token", "invalid_grant", 70000),
    ]
    text = json.dumps(entries)
    assert not any(secret in text for secret in (driver.refresh_token, driver.authorization, "never issued", SECRET))


def test_the_scope_that_is_granted_is_the_permission_alone(driver: Driver) -> None:
    assert driver.token(scope=SCOPE)[1]["scope"] == f"{API}/user_impersonation"
