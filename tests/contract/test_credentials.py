"""The access token with Key Vault's SDK and MSAL as they are, against the local vault, identity and token endpoint."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from shared import transport
from shared.credentials import Credentials
from shared.errors import AccessDenied, CallFailed, TokenUnavailable
from shared.partner_center import PartnerCenterClient
from shared.settings import Settings
from tests.contract.signed_in_app import DAY_S, SignedInApp, refused, unavailable
from tests.unit import rows
from tests.unit.gates import events
from tests.unit.raw_calls import silent
from tests.unit.raw_server import raw_server


def in_threads(count: int, call: Callable[[], object]) -> list[object]:
    """What each of so many simultaneous calls returned or raised."""
    together = threading.Barrier(count)

    def outcome(_: int) -> object:
        together.wait()
        try:
            return call()
        except CallFailed as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(outcome, range(count)))


def test_fifty_threads_share_one_exchange(app: SignedInApp) -> None:
    tokens = in_threads(50, app.credentials().get_token)
    assert len(set(tokens)) == 1
    assert isinstance(tokens[0], str)
    assert app.exchanges == ["issued"]


def test_all_who_wait_share_the_end_of_an_outage(app: SignedInApp) -> None:
    with raw_server(silent) as server:
        url = f"https://127.0.0.1:{server.port}"
        credentials = app.credentials(authority_url=url, azure_call_deadline_s=0.4)
        began = time.monotonic()
        outcomes = in_threads(50, credentials.get_token)
        assert time.monotonic() - began < 1
        assert {type(outcome) for outcome in outcomes} == {TokenUnavailable}
        assert server.connections == 1


@pytest.mark.parametrize(("lifetime_s", "used_for_s"), [(3600, 3300), (100, 50)])
def test_a_token_is_renewed_before_it_ends(app: SignedInApp, lifetime_s: float, used_for_s: float) -> None:
    app.switch(access_token_lifetime_s=lifetime_s)
    credentials = app.credentials()
    first = credentials.get_token()
    app.clock.advance(used_for_s - 1)
    assert credentials.get_token() == first
    app.clock.advance(1)
    assert credentials.get_token() != first
    assert app.exchanges == ["issued"] * 2


def test_a_dropped_token_is_made_anew_and_a_newer_one_is_not_dropped(app: SignedInApp) -> None:
    credentials = app.credentials()
    first = credentials.get_token()
    credentials.drop_token(first)
    second = credentials.get_token()
    assert second != first
    credentials.drop_token(first)
    assert credentials.get_token() == second
    credentials.drop_token()
    assert credentials.get_token() not in (first, second)


def partner_center_client(app: SignedInApp, tokens: Credentials) -> PartnerCenterClient:
    return PartnerCenterClient(
        session=app.session,
        tokens=tokens,
        base_url=app.partner.facts["api_url"],
        timeouts=transport.Timeouts(5, 5, 5),
        clock=app.clock,
        new_id=lambda: str(uuid4()),
    )


def test_a_sign_in_without_mfa_is_logged_once_per_exchange_and_the_api_denies_it(
    app: SignedInApp, caplog: pytest.LogCaptureFixture
) -> None:
    app.put_refresh_token(app.partner.sign_in(mfa=False))
    credentials = app.credentials()
    credentials.get_token()
    credentials.get_token()
    once = [("auth.consent_required", "no_mfa"), ("auth.renewed", None)]
    assert [(event, fields.get("oauth_error")) for event, fields in events(caplog)] == once
    with pytest.raises(AccessDenied) as denied:
        partner_center_client(app, credentials).get_eligibility(rows.in_flight(customer_id=str(uuid4())))
    assert (denied.value.http_status, denied.value.code) == (401, "900421")
    caplog.clear()
    credentials.drop_token()
    credentials.get_token()
    assert [(event, fields.get("oauth_error")) for event, fields in events(caplog)] == once


def test_no_secret_is_ever_logged_or_told_by_an_error(app: SignedInApp, caplog: pytest.LogCaptureFixture) -> None:
    app.clock.advance(2 * DAY_S)
    credentials = app.credentials()
    told: list[str] = [credentials.get_token(), app.refresh_token, app.stored.value, app.partner.facts["client_secret"]]
    assert told[1] != told[2], "the new refresh token was written back"
    shown: list[object] = []
    app.put_refresh_token("never-issued-but-secret")
    credentials.drop_token()
    shown.append(refused(credentials))
    app.put_client_secret("wrong-but-secret")
    shown.append(refused(credentials))
    app.switch(token_outage="reset")
    shown.append(unavailable(credentials))
    told += ["never-issued-but-secret", "wrong-but-secret"]
    lines = [f"{record.getMessage()} {record.args} {record.exc_text} {record.exc_info}" for record in caplog.records]
    assert {"auth.renewed", "auth.consent_required", "auth.credential_invalid"} <= {line.split()[0] for line in lines}
    lines += [f"{error!r} {error} {vars(error)} {error.__cause__}" for error in shown if isinstance(error, CallFailed)]
    assert not [line for line in lines for secret in told if secret in line]


def test_settings_never_hold_a_secret() -> None:
    assert not {name for name in Settings.__dataclass_fields__ if name.endswith(("_secret", "_token", "_key"))}
