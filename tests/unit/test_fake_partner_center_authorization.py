"""The fake Partner Center's sign-in in a browser: the authorization endpoint, and the codes that it hands out."""

import base64
import hashlib
import json
import threading
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import requests

from local.http import Server
from local.partner_center.aadsts import TokenError
from local.partner_center.authority import AuthorityApi
from tests.unit.fake_partner_center import CLIENT_ID, SCOPE, TENANT, Driver

REDIRECT = "http://localhost:4711"
VERIFIER = "a verifier that only the client knows, at least 43 characters long"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
QUERY = {
    "response_type": "code",
    "client_id": CLIENT_ID,
    "redirect_uri": REDIRECT,
    "scope": SCOPE,
    "state": "of this sign-in",
    "nonce": "a nonce",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


@pytest.fixture
def driver() -> Driver:
    return Driver()


def _redirected(driver: Driver, **changes: str | None) -> dict[str, str]:
    """What the loopback address is asked with."""
    query = {name: value for name, value in (QUERY | changes).items() if value is not None}
    answer = driver.world.authority.authorize(TENANT, query)
    assert answer.address.startswith(f"{REDIRECT}?")
    return dict(parse_qsl(urlsplit(answer.address).query))


def _redeem(driver: Driver, code: str, /, **changes: str | None) -> tuple[int, dict[str, Any]]:
    form = {"grant_type": "authorization_code", "redirect_uri": REDIRECT, "code_verifier": VERIFIER, "code": code}
    http, document = driver.token(refresh_token=None, **(form | changes))
    return http, dict(document)


def _claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def test_a_person_is_signed_in_at_once_with_mfa(driver: Driver) -> None:
    answer = _redirected(driver)
    assert answer["state"] == "of this sign-in"
    http, document = _redeem(driver, answer["code"])
    assert http == 200
    assert _claims(document["access_token"])["amr"] == ["pwd", "mfa"]
    assert driver.token(refresh_token=document["refresh_token"])[0] == 200


def test_the_id_token_names_its_issuer_its_audience_and_the_nonce(driver: Driver) -> None:
    _, document = _redeem(driver, _redirected(driver)["code"])
    claims = _claims(document["id_token"])
    assert claims["iss"] == f"https://authority.test/{TENANT}/v2.0"
    assert (claims["aud"], claims["tid"], claims["nonce"]) == (CLIENT_ID, TENANT, "a nonce")
    assert claims["iat"] == driver.clock.now_s
    assert claims["exp"] == driver.clock.now_s + 3600


def test_a_person_may_sign_in_without_mfa(driver: Driver) -> None:
    _, document = _redeem(driver, _redirected(driver, _mfa="no")["code"])
    assert _claims(document["access_token"])["amr"] == ["pwd"]


def test_a_person_may_decline(driver: Driver) -> None:
    answer = _redirected(driver, _error="access_denied")
    assert (answer["error"], answer["state"]) == ("access_denied", "of this sign-in")
    assert "code" not in answer


def test_a_code_can_be_used_once(driver: Driver) -> None:
    code = _redirected(driver)["code"]
    assert _redeem(driver, code)[0] == 200
    http, document = _redeem(driver, code)
    assert (http, document["error_codes"]) == (400, [54005])


@pytest.mark.parametrize(
    ("changes", "http", "aadsts"),
    [
        ({"code": "never issued"}, 400, 70000),
        ({"code_verifier": "another verifier"}, 400, 501481),
        ({"code_verifier": None}, 400, 501481),
        ({"redirect_uri": "http://localhost:4712"}, 401, 500112),
        ({"client_secret": "wrong"}, 401, 7000215),
        ({"scope": "openid"}, 400, 70011),
    ],
)
def test_a_code_is_for_whoever_asked_for_it(
    driver: Driver, changes: dict[str, str | None], http: int, aadsts: int
) -> None:
    code = _redirected(driver)["code"]
    status, document = _redeem(driver, code, **changes)
    assert (status, document["error_codes"]) == (http, [aadsts])
    assert _redeem(driver, code)[0] == 200


def test_a_code_ends_after_ten_minutes(driver: Driver) -> None:
    code = _redirected(driver)["code"]
    driver.clock.now_s += 600
    assert _redeem(driver, code)[1]["error_codes"] == [70008]


def test_a_confidential_client_may_do_without_pkce(driver: Driver) -> None:
    code = _redirected(driver, code_challenge=None, code_challenge_method=None)["code"]
    assert _redeem(driver, code, code_verifier=None)[0] == 200


@pytest.mark.parametrize(
    ("changes", "aadsts"),
    [
        ({"client_id": TENANT}, 700016),
        ({"redirect_uri": "http://evil.test"}, 50011),
        ({"redirect_uri": "http://localhost.evil.test"}, 50011),
        ({"redirect_uri": "http://localhost:4711/elsewhere"}, 50011),
        ({"redirect_uri": None}, 50011),
        ({"response_type": "token"}, 70005),
        ({"response_mode": "fragment"}, 70007),
        ({"code_challenge_method": "plain"}, 50147),
        ({"scope": "openid"}, 70011),
    ],
)
def test_a_wrong_request_sends_nobody_anywhere(driver: Driver, changes: dict[str, str | None], aadsts: int) -> None:
    query = {name: value for name, value in (QUERY | changes).items() if value is not None}
    with pytest.raises(TokenError) as refused:
        driver.world.authority.authorize(TENANT, query)
    assert refused.value.aadsts == aadsts


def test_another_tenant_is_unknown(driver: Driver) -> None:
    with pytest.raises(TokenError, match="90002"):
        driver.world.authority.authorize(CLIENT_ID, QUERY)


def test_over_http_a_browser_is_redirected_or_posts_a_form_or_sees_what_is_wrong(driver: Driver) -> None:
    with Server(AuthorityApi(driver.world.authority).answer) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        url = f"{server.url}/{TENANT}/oauth2/v2.0/authorize"
        redirect, form, refused = (
            requests.get(url, params=QUERY | changes, allow_redirects=False, timeout=5)
            for changes in ({}, {"response_mode": "form_post", "state": '">'}, {"redirect_uri": "http://evil.test"})
        )
        server.shutdown()
        serving.join()
    assert redirect.status_code == 302
    assert set(parse_qs(urlsplit(redirect.headers["Location"]).query)) == {"code", "state"}
    assert form.status_code == 200
    assert f'<form method="post" action="{REDIRECT}">' in form.text
    assert '<input type="hidden" name="state" value="&quot;&gt;">' in form.text
    assert (refused.status_code, "Location" in refused.headers) == (400, False)
    assert "AADSTS50011" in refused.text
