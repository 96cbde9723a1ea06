"""`doctor`: the sign-in to Partner Center, its answers and its credentials' age; and a clock that is wrong."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.unit.raw_server import raw_server
from tests.upgradectl.answers_support import answering
from tests.upgradectl.doctor_support import look, only
from tests.upgradectl.system import System
from upgradectl.diagnosis import State
from upgradectl.partner_checks import age_found, expiry_found
from upgradectl.reach_checks import skew_found
from upgradectl.vault import StoredSecret

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("trouble", "said", "remedy"),
    [
        ("invalid_grant", "the sign-in is refused: invalid_grant AADSTS50173", "upgradectl consent"),
        ("invalid_client", "secret or certificate is refused: invalid_client AADSTS7000222", "into Key Vault"),
        (53003, "a conditional access policy refuses", "administrator"),
        (90033, "no token for Partner Center", "try again"),
    ],
)
def test_a_sign_in_that_is_refused(consented: System, trouble: object, said: str, remedy: str) -> None:
    consented.fake("PUT", "switches", {"token_error": trouble})
    found = look(consented)
    assert only(found, State.FAILED) == ("Partner Center sign-in",)
    assert said in found["Partner Center sign-in"].detail
    assert remedy in found["Partner Center sign-in"].remedy
    assert only(found, State.NOT_TRIED) == ("MFA", "Partner Center")


def test_a_sign_in_without_mfa(consented: System) -> None:
    consented.put_refresh_token(mfa=False)
    found = look(consented)
    assert only(found, State.FAILED) == ("MFA",)
    assert "with MFA" in found["MFA"].remedy


@pytest.mark.parametrize(
    ("head", "body", "state", "said"),
    [
        ("200 OK\r\nisMfaCompliant: false", '{"isEligible": true}', State.FAILED, "not MFA compliant"),
        ("401 Unauthorized", '{"code": 900420}', State.FAILED, "answered 401 900420"),
        ("403 Forbidden", '{"code": 2032}', State.WARNING, "answered 403 2032"),
        ("404 Not Found", '{"code": 900106}', State.OK, "answered 404 900106"),
        ("429 Too Many Requests", "{}", State.WARNING, "throttled"),
        ("503 Unavailable", "<h1>out</h1>", State.FAILED, "answered 503"),
    ],
)
def test_what_partner_center_answers(consented: System, head: str, body: str, state: State, said: str) -> None:
    with raw_server(answering(head, body)) as server:
        found = look(consented, PARTNER_CENTER_URL=server.url)
    assert found["Partner Center"].state is state
    assert said in found["Partner Center"].line


def test_a_partner_center_that_falls_silent_is_waited_for_in_bounds(consented: System) -> None:
    with raw_server(answering("404 Not Found"), lambda peer: peer.wait_until_gone()) as server:
        found = look(consented, PARTNER_CENTER_URL=server.url, AZURE_CALL_DEADLINE_S="1")
    assert found["Partner Center"].state is State.FAILED
    assert "did not answer (ReadTimeout)" in found["Partner Center"].detail


def test_a_clock_that_is_wrong_is_seen_in_the_services_dates(consented: System) -> None:
    date = format_datetime(datetime.now(UTC) - timedelta(minutes=10), usegmt=True)
    with raw_server(answering(f"404 Not Found\r\nDate: {date}")) as server:
        found = look(consented, PARTNER_CENTER_URL=server.url, KEY_VAULT_URL="", TABLES_URL="", PARTNER_TENANT_ID="")
    assert found["clock"].state is State.FAILED
    assert found["clock"].detail.endswith("s ahead")


@pytest.mark.parametrize(
    ("skews_s", "state"),
    [
        ([], State.NOT_TRIED),
        ([-2.0, 59.0, 1.0], State.OK),
        ([61.0], State.WARNING),
        ([-61.0, -62.0, 500.0], State.WARNING),
        ([-301.0], State.FAILED),
    ],
)
def test_how_far_a_clock_may_be_wrong(skews_s: list[float], state: State) -> None:
    assert skew_found(skews_s).state is state


@pytest.mark.parametrize(("age_d", "state"), [(0, State.OK), (6.9, State.OK), (7, State.WARNING), (90, State.FAILED)])
def test_a_refresh_token_that_nobody_renews(age_d: float, state: State) -> None:
    found = age_found(StoredSecret("token", NOW - timedelta(days=age_d), None), NOW)
    assert (found.state, found.detail) == (state, f"{age_d:.1f} days old")


@pytest.mark.parametrize(
    ("left_d", "state"), [(None, State.OK), (31, State.OK), (29, State.WARNING), (0, State.FAILED), (-3, State.FAILED)]
)
def test_a_client_credential_that_ends(left_d: float | None, state: State) -> None:
    ends = None if left_d is None else NOW + timedelta(days=left_d)
    assert expiry_found(StoredSecret("secret", NOW, ends), NOW).state is state
