"""Secrets that the vault or the token endpoint refuses: what a person is told, and that a new one counts at once."""

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest

from shared.errors import TokenUnavailable
from shared.sign_in import Kind
from tests.contract.signed_in_app import DAY_S, SignedInApp, refused, unavailable
from tests.unit.gates import events, names
from tests.unit.test_sign_in import ERRORS

CONSENT, CLIENT = "auth.consent_required", "auth.credential_invalid"
CLIENT_NAME, REFRESH_NAME = "client_secret_name", "refresh_token_secret_name"


@pytest.mark.parametrize(
    ("put", "error", "aadsts", "event"),
    [
        (SignedInApp.put_refresh_token, "invalid_grant", 70000, CONSENT),
        (SignedInApp.put_client_secret, "invalid_client", 7000215, CLIENT),
    ],
    ids=["refresh token", "client secret"],
)
def test_a_secret_that_is_wrong_is_reported_with_its_age(
    app: SignedInApp,
    caplog: pytest.LogCaptureFixture,
    put: Callable[..., object],
    error: str,
    aadsts: int,
    event: str,
) -> None:
    put(app, "never issued")
    app.clock.advance(DAY_S)
    found = refused(app.credentials())
    assert (found.code, found.aadsts) == (error, aadsts)
    fields = {"oauth_error": error, "aadsts": aadsts, "secret_age_d": pytest.approx(1, abs=0.01)}
    assert events(caplog) == [(event, fields)]


@pytest.mark.parametrize(("aadsts", "error", "kind"), ERRORS, ids=str)
def test_every_documented_error_ends_as_it_asks_for_and_is_logged_once(
    app: SignedInApp, caplog: pytest.LogCaptureFixture, aadsts: int, error: str, kind: Kind
) -> None:
    app.switch(token_error=aadsts)
    if kind is Kind.LATER:
        unavailable(app.credentials())
        assert events(caplog) == []
        return
    found = refused(app.credentials())
    assert (found.code, found.aadsts) == (error, aadsts)
    ((event, fields),) = events(caplog)
    assert event == (CLIENT if kind is Kind.CLIENT else CONSENT)
    assert fields == {"oauth_error": error, "aadsts": aadsts, "secret_age_d": pytest.approx(0, abs=0.01)}


@pytest.mark.parametrize(("secret", "event"), [(CLIENT_NAME, CLIENT), (REFRESH_NAME, CONSENT)])
@pytest.mark.parametrize("trouble", ["missing", "forbidden"])
def test_a_secret_that_is_missing_or_forbidden_needs_a_person(
    app: SignedInApp, caplog: pytest.LogCaptureFixture, trouble: str, secret: str, event: str
) -> None:
    name = f"missing-{uuid4().hex}" if trouble == "missing" else getattr(app.settings, secret)
    if trouble == "forbidden":
        app.secrets.update_secret_properties(name, enabled=False)
    assert refused(app.credentials(**{secret: name})).code == f"secret:{name}"
    assert events(caplog) == [(event, {"oauth_error": f"secret:{name}"})]
    assert app.exchanges == []


@pytest.mark.parametrize(
    ("put", "secret"), [(SignedInApp.put_client_secret, CLIENT_NAME), (SignedInApp.put_refresh_token, REFRESH_NAME)]
)
def test_a_secret_that_was_just_replaced_counts_before_the_error(
    app: SignedInApp, caplog: pytest.LogCaptureFixture, put: Callable[..., object], secret: str
) -> None:
    put(app, "never issued")
    app.vault.replacements[getattr(app.settings, secret), 2] = lambda: put(app)
    assert app.api_status(app.credentials().get_token()) == 200
    assert names(caplog) == ["auth.renewed"]


def test_a_secret_that_is_only_put_there_after_the_first_look_is_picked_up(
    app: SignedInApp, caplog: pytest.LogCaptureFixture
) -> None:
    app.settings = replace(app.settings, client_secret_name=f"late-{uuid4().hex}")
    app.vault.replacements[app.settings.client_secret_name, 2] = app.put_client_secret
    assert app.api_status(app.credentials().get_token()) == 200
    assert names(caplog) == ["auth.renewed"]


def test_a_secret_that_is_replaced_later_is_picked_up_without_a_restart(app: SignedInApp) -> None:
    app.put_refresh_token("never issued")
    credentials = app.credentials()
    refused(credentials)
    app.put_refresh_token()
    assert app.api_status(credentials.get_token()) == 200


def test_a_secret_that_was_replaced_by_another_wrong_one_is_logged_too(
    app: SignedInApp, caplog: pytest.LogCaptureFixture
) -> None:
    app.put_refresh_token("never issued")
    name = app.settings.refresh_token_secret_name
    app.vault.replacements[name, 2] = lambda: app.put_refresh_token("not this one either")
    assert refused(app.credentials()).code == "invalid_grant"
    assert names(caplog) == [CONSENT]


def test_where_the_second_look_fails_the_first_refusal_stands(
    app: SignedInApp, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise TokenUnavailable("out")

    app.put_refresh_token("never issued")
    app.vault.replacements[app.settings.client_secret_name, 2] = fail
    assert refused(app.credentials()).code == "invalid_grant"
    assert names(caplog) == [CONSENT]


def test_a_refusal_is_not_remembered(app: SignedInApp) -> None:
    credentials = app.credentials()
    app.switch(token_error="invalid_grant")
    refused(credentials)
    app.switch(token_error=None)
    assert app.api_status(credentials.get_token()) == 200
