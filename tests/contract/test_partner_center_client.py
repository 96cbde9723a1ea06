"""The three calls against the fake Partner Center, over a socket: one call, and what the client makes of it."""

import json
import logging
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import requests

from local.component import Component, start
from local.tls import Tls
from shared import errors, transport
from shared.answers import CreatedUpgrade
from shared.models import InFlightUpgrade, Status
from shared.partner_center import APPLICATION, PartnerCenterClient
from tests.fakes import FakeClock
from tests.unit import rows
from tests.unit.raw_server import Peer, raw_server

TENANT = "11111111-1111-4111-8111-111111111111"
CLIENT_ID = "22222222-2222-4222-8222-222222222222"
TIMEOUTS = transport.Timeouts(connect_s=1, read_s=0.3, total_s=0.5)


class Tokens:
    """One access token. `takes_s`: how long it takes to get it."""

    def __init__(self, clock: FakeClock, token: str) -> None:
        self.clock, self.token = clock, token
        self.takes_s = 0.0
        self.dropped: list[str] = []

    def get_token(self) -> str:
        self.clock.advance(self.takes_s)
        return self.token

    def drop_token(self, token: str) -> None:
        self.dropped.append(token)


class Partner:
    """A client, and the truth about what reached the fake."""

    def __init__(self, api_url: str, session: requests.Session, token: str) -> None:
        self.api_url = api_url
        self.clock = FakeClock(datetime.now(UTC))
        self.tokens = Tokens(self.clock, token)
        self.client = PartnerCenterClient(
            session=session,
            tokens=self.tokens,
            base_url=api_url,
            timeouts=TIMEOUTS,
            clock=self.clock,
            new_id=lambda: str(uuid4()),
        )

    def control(self, method: str, path: str, content: object = None) -> Any:
        response = requests.request(method, f"{self.api_url}/_fake/{path}", json=content, timeout=5)
        assert response.status_code == 200, response.text
        return response.json()

    def row(self, scenario: object = None) -> InFlightUpgrade:
        """Of a new customer. `scenario`: the name of one, or a scenario."""
        customer_id = str(uuid4())
        if scenario is not None:
            self.control("PUT", "scenarios", {customer_id: scenario})
        return rows.in_flight(customer_id=customer_id, ms_request_id=str(uuid4()), correlation_id=str(uuid4()))

    def create(self, row: InFlightUpgrade, *, lease_s: float = 60) -> CreatedUpgrade:
        return self.client.create_upgrade(row, lease_ends=self.clock.monotonic() + lease_s)

    def refused(self, row: InFlightUpgrade) -> errors.CallFailed:
        with pytest.raises(errors.CallFailed) as refused:
            self.create(row)
        return refused.value

    def calls(self, row: InFlightUpgrade) -> list[Mapping[str, Any]]:
        return [call for call in self.control("GET", "ledger")["calls"] if call["customerId"] == row.customer_id]

    def kinds(self, row: InFlightUpgrade) -> list[str]:
        return [call["kind"] for call in self.calls(row)]

    def upgrade_ids(self, row: InFlightUpgrade) -> list[str]:
        upgrades = self.control("GET", "ledger")["upgrades"]
        return [upgrade["id"] for upgrade in upgrades if upgrade["customerId"] == row.customer_id]


@pytest.fixture(scope="module")
def component(tls: Tls, component_logs: Any) -> Iterator[Component]:
    arguments = ("--tls", str(tls.folder), "--tenant", TENANT, "--client-id", CLIENT_ID)
    component = start("local.partner_center", *arguments, log=component_logs / "client_partner_center.log")
    yield component
    assert component.stop() == 0


@pytest.fixture(scope="module")
def access_token(component: Component, tls: Tls) -> str:
    return _access_token(component, tls)


def _access_token(component: Component, tls: Tls, *, mfa: bool = True) -> str:
    sign_in = requests.post(f"{component.facts['api_url']}/_fake/sign-in", json={"mfa": mfa}, timeout=5).json()
    form = {
        "grant_type": "refresh_token",
        "refresh_token": sign_in["refresh_token"],
        "client_id": CLIENT_ID,
        "client_secret": component.facts["client_secret"],
        "scope": "https://api.partnercenter.microsoft.com/user_impersonation offline_access",
    }
    endpoint = f"{component.facts['authority_url']}/{TENANT}/oauth2/v2.0/token"
    answer = requests.post(endpoint, data=form, verify=str(tls.ca), timeout=5).json()
    return str(answer["access_token"])


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """No connection is kept from test to test: what is cut on a kept one is sent once more."""
    with transport.new_session(connections=4) as session:
        yield session


@pytest.fixture
def partner(component: Component, session: requests.Session, access_token: str) -> Partner:
    return Partner(component.facts["api_url"], session, access_token)


# Accepted


@pytest.mark.parametrize("scenario", ["completes", "location-absolute", "location-slash"])
def test_an_accepted_upgrade_is_known_by_its_location(partner: Partner, scenario: str) -> None:
    row = partner.row(scenario)
    created = partner.create(row)
    assert [created.upgrade_id] == partner.upgrade_ids(row)
    assert not created.adopted
    assert partner.kinds(row) == ["create"]


@pytest.mark.parametrize(
    "scenario", ["location-missing", "location-elsewhere", "location-garbage", "empty-accept", "html-accept"]
)
def test_where_the_location_is_of_no_use_eligibility_tells_the_id(partner: Partner, scenario: str) -> None:
    row = partner.row(scenario)
    created = partner.create(row)
    assert [created.upgrade_id] == partner.upgrade_ids(row)
    assert not created.adopted
    assert partner.kinds(row) == ["create", "eligibility"]


def test_a_2xx_that_led_to_nothing_leaves_the_outcome_unknown(partner: Partner) -> None:
    row = partner.row({"create": [{"do": "answer", "http": 202}]})
    error = partner.refused(row)
    assert type(error) is errors.OutcomeUnknown
    assert partner.kinds(row) == ["create", "eligibility"]


# In place already


@pytest.mark.parametrize("scenario", ["already-in-progress", "already-completed", "already-completed-id-mismatch"])
def test_an_upgrade_that_is_in_place_is_adopted_when_eligibility_confirms_it(partner: Partner, scenario: str) -> None:
    row = partner.row(scenario)
    (upgrade_id,) = partner.upgrade_ids(row)
    assert partner.create(row) == CreatedUpgrade(upgrade_id, adopted=True)
    assert partner.kinds(row) == ["create", "eligibility"]


ELIGIBLE = {"do": "answer", "http": 200, "text": '{"isEligible": true}'}


def test_where_eligibility_names_none_a_status_call_may_confirm_the_id_of_the_text(partner: Partner) -> None:
    row = partner.row({"existing": "in progress", "eligibility": [ELIGIBLE]})
    (upgrade_id,) = partner.upgrade_ids(row)
    assert partner.create(row) == CreatedUpgrade(upgrade_id, adopted=True)
    assert partner.kinds(row) == ["create", "eligibility", "status"]


def test_an_id_in_a_text_that_nothing_confirms_is_not_adopted(partner: Partner) -> None:
    other = partner.row()
    theirs = partner.create(other).upgrade_id
    text = f"Upgrades {uuid4()} and {theirs} are in progress."
    row = partner.row({"create": [{"do": "refuse", "http": 409, "code": 900109, "description": text}]})
    error = partner.refused(row)
    assert type(error) is errors.RefusedForNow
    assert (error.code, error.http_status, error.understood) == ("900109", 409, False)
    assert partner.kinds(row) == ["create", "eligibility", "status", "status"]


@pytest.mark.parametrize("scenario", [{"existing": "completed"}, {"create": [{"do": "location", "value": None}]}])
@pytest.mark.parametrize(
    ("step", "trouble"),
    [
        ({"do": "throttle", "retry_after": 7}, errors.Throttled),
        ({"do": "unauthorized"}, errors.Unauthorized),
        ({"do": "refuse", "http": 403, "code": 2032}, errors.AccessDenied),
        ({"do": "refuse", "http": 400, "code": 900118}, errors.RefusedForGood),
        ({"do": "error", "http": 503}, errors.OutcomeUnknown),
        ({"do": "cut", "when": "before", "times": 2}, errors.OutcomeUnknown),  # once on the kept connection
        ({"do": "answer", "http": 200, "text": "<html>"}, errors.OutcomeUnknown),
    ],
    ids=lambda value: value["do"] if isinstance(value, dict) else "",
)
def test_while_the_id_is_not_confirmed_the_outcome_is_unknown_and_the_same_call_finds_it(
    partner: Partner, scenario: dict[str, object], step: dict[str, object], trouble: type[errors.CallFailed]
) -> None:
    row = partner.row({**scenario, "eligibility": [step]})
    error = partner.refused(row)
    assert isinstance(error, errors.OutcomeUnknown)
    assert type(error.trouble) is trouble
    if isinstance(error.trouble, errors.Throttled):
        assert error.trouble.retry_after_s == 7
    assert [partner.create(row).upgrade_id] == partner.upgrade_ids(row)
    creates = [call for call in partner.calls(row) if call["kind"] == "create"]
    assert [call["msRequestId"] for call in creates] == [row.ms_request_id] * 2


# Refused


@pytest.mark.parametrize(
    ("scenario", "kind", "code", "http_status"),
    [
        ("suspended", errors.RefusedForGood, "900105", 403),
        ("no-subscriptions", errors.RefusedForGood, "900108", 403),
        ("no-relationship", errors.RefusedForGood, "20002", 403),
        ("customer-agreement-missing", errors.RefusedForGood, "900123", 403),
        ("partner-agreement-missing", errors.RefusedForGood, "900124", 403),
        ("agreement-not-signed", errors.RefusedForGood, "13605", 403),
        ("invalid-customer", errors.RefusedForGood, "900118", 400),
        ("no-catalog-item", errors.RefusedForGood, "900107", 400),
        ("shared-services", errors.RefusedForGood, "900119", 400),
        ("cannot-process", errors.RefusedForGood, "900120", 400),
        ("sandbox-limit", errors.RefusedForGood, "900116", 400),
        ("bought-too-recently", errors.RefusedForNow, "900130", 403),
        ("unknown-refusal", errors.RefusedForNow, "999999", 400),
        ("role-missing", errors.AccessDenied, "2032", 403),
        ("mfa-missing-once", errors.AccessDenied, "900421", 401),
        ("unauthorized", errors.Unauthorized, "400", 401),
        ("throttled", errors.Throttled, "", 429),
        ("server-error-then-ok", errors.OutcomeUnknown, "800003", 503),
        ("html-error", errors.OutcomeUnknown, "", 500),
        ("bad-gateway", errors.OutcomeUnknown, "", 502),
        ("html-refusal", errors.OutcomeUnknown, "", 403),
        ("redirected", errors.OutcomeUnknown, "", 307),
    ],
)
def test_a_refusal_is_told_by_its_kind(
    partner: Partner, scenario: str, kind: type[errors.CallFailed], code: str, http_status: int
) -> None:
    row = partner.row(scenario)
    error = partner.refused(row)
    assert (type(error), error.code, error.http_status) == (kind, code, http_status)
    assert (partner.kinds(row), partner.upgrade_ids(row)) == (["create"], [])
    # A token made before a role was granted, or a consent given, must not be kept.
    dropped = kind in (errors.Unauthorized, errors.AccessDenied)
    assert partner.tokens.dropped == ([partner.tokens.token] if dropped else [])


@pytest.mark.parametrize(
    ("retry_after", "wait_s"),
    [(57, 57), ("1.5", 1.5), (None, None), ("soon", None), (10**12, 1e12), ("-1", 0), ("nan", None)],
)
def test_throttling_tells_how_long_to_wait(partner: Partner, retry_after: object, wait_s: float | None) -> None:
    error = partner.refused(partner.row({"create": [{"do": "throttle", "retry_after": retry_after}]}))
    assert isinstance(error, errors.Throttled)
    assert error.retry_after_s == wait_s


def test_throttling_may_tell_a_date(partner: Partner) -> None:
    error = partner.refused(partner.row({"create": [{"do": "throttle", "retry_after": "{date+90}"}]}))
    assert isinstance(error, errors.Throttled)
    assert error.retry_after_s == pytest.approx(90, abs=5)


# Lost


@pytest.mark.parametrize(
    ("step", "created", "longest_s"),
    [
        ({"do": "slow", "seconds": 0.6}, None, 0.3),
        ({"do": "slow", "seconds": 0.6, "when": "after"}, 1, 0.3),
        ({"do": "cut", "when": "before"}, 0, 0),
        ({"do": "cut", "when": "after"}, 1, 0),
        ({"do": "drip", "interval_s": 0.02}, 1, 0.5),
        ({"do": "endless"}, 1, 0.3),
        ({"do": "answer", "http": 202, "headers": {"Content-Length": "99"}, "text": "{", "acts": True}, 1, 0),
    ],
    ids=["slow", "slow answer", "cut before", "cut after", "drip", "endless", "cut short"],
)
def test_a_call_that_is_lost_ends_in_time_and_its_repetition_leads_to_the_same_upgrade(
    partner: Partner, step: dict[str, object], created: int | None, longest_s: float
) -> None:
    row = partner.row({"create": [step]})
    began = time.monotonic()
    error = partner.refused(row)
    assert time.monotonic() - began < longest_s + 0.3
    assert type(error) is errors.OutcomeUnknown
    if created is not None:
        assert len(partner.upgrade_ids(row)) == created
    again = partner.create(row)
    assert partner.upgrade_ids(row) == [again.upgrade_id]
    assert not again.adopted
    assert {call["msRequestId"] for call in partner.calls(row) if call["kind"] == "create"} == {row.ms_request_id}


def test_a_service_that_cannot_be_reached_leaves_the_outcome_unknown(partner: Partner) -> None:
    with raw_server(lambda peer: None) as server:
        url = server.url
    client = Partner(url, partner.client._session, "t").client
    with pytest.raises(errors.OutcomeUnknown):
        client.create_upgrade(partner.row(), lease_ends=partner.clock.monotonic() + 60)


def test_a_429_after_a_second_sending_tells_nothing_about_the_first(partner: Partner) -> None:
    """The kept connection breaks when the upgrade is there already; the second sending does not get that far."""
    partner.create(partner.row())  # so that the connection is a kept one
    row = partner.row("cut-after")
    partner.control("PUT", "switches", {"api_bucket": {"rate_per_s": 0.01, "burst": 1}})
    try:
        error = partner.refused(row)
    finally:
        partner.control("PUT", "switches", {"api_bucket": None})
    assert isinstance(error, errors.OutcomeUnknown)
    assert isinstance(error.trouble, errors.Throttled)
    assert [call["http"] for call in partner.calls(row)] == ["cut", 429]
    assert partner.create(row).upgrade_id in partner.upgrade_ids(row)
    assert len(partner.upgrade_ids(row)) == 1


# Not sent


def test_what_may_not_be_sent_any_more_is_held_back_after_the_token_was_made(partner: Partner) -> None:
    row, lease_ends = partner.row(), partner.clock.monotonic() + 60
    for call in (
        lambda: partner.client.create_upgrade(row, lease_ends=lease_ends, may_send=lambda: False),
        lambda: partner.client.get_status(row, str(uuid4()), may_send=lambda: False),
        lambda: partner.client.get_eligibility(row, may_send=lambda: False),
    ):
        with pytest.raises(errors.HeldBack):
            call()
    assert partner.calls(row) == []


def test_a_confirming_call_that_is_held_back_leaves_the_outcome_unknown(partner: Partner) -> None:
    row, answers = partner.row("location-missing"), iter([True, False])
    with pytest.raises(errors.OutcomeUnknown) as raised:
        partner.client.create_upgrade(row, lease_ends=partner.clock.monotonic() + 60, may_send=lambda: next(answers))
    assert isinstance(raised.value.trouble, errors.HeldBack)
    assert partner.kinds(row) == ["create"]


def test_with_less_of_the_lease_than_the_call_may_take_nothing_is_sent(partner: Partner) -> None:
    row = partner.row()
    with pytest.raises(errors.LeaseTooShort):
        partner.create(row, lease_s=TIMEOUTS.total_s - 0.001)
    assert partner.calls(row) == []
    partner.create(row, lease_s=TIMEOUTS.total_s)
    assert partner.kinds(row) == ["create"]


def test_the_lease_is_looked_at_after_the_token_was_made(partner: Partner) -> None:
    row = partner.row()
    partner.tokens.takes_s = 10
    with pytest.raises(errors.LeaseTooShort):
        partner.create(row, lease_s=10)
    assert partner.calls(row) == []


@pytest.mark.parametrize("trouble", [errors.TokenUnavailable("out"), errors.TokenRefused(code="invalid_grant")])
def test_without_a_token_nothing_is_sent(
    partner: Partner, monkeypatch: pytest.MonkeyPatch, trouble: errors.CallFailed
) -> None:
    def get_token() -> str:
        raise trouble

    monkeypatch.setattr(partner.tokens, "get_token", get_token)
    row = partner.row()
    assert partner.refused(row) is trouble
    for call in (lambda: partner.client.get_status(row, str(uuid4())), lambda: partner.client.get_eligibility(row)):
        with pytest.raises(type(trouble)):
            call()
    assert partner.calls(row) == []


def test_a_token_that_the_service_does_not_accept_is_dropped(partner: Partner) -> None:
    partner.tokens.token = "never issued"
    row = partner.row()
    assert type(partner.refused(row)) is errors.Unauthorized
    with pytest.raises(errors.Unauthorized):
        partner.client.get_eligibility(row)
    assert partner.tokens.dropped == ["never issued"] * 2


# On the wire


@pytest.mark.parametrize("call", ["create", "status", "eligibility"])
def test_a_request_is_as_the_vendors_page_demands(session: requests.Session, call: str) -> None:
    body = b'{"isEligible": true, "status": "x"}'
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nLocation: productUpgrades/%b\r\n\r\n" % (
        len(body),
        str(uuid4()).encode(),
    )

    def script(peer: Peer) -> None:
        peer.answer(reply + body)

    upgrade_id = str(uuid4())
    row = rows.in_flight()
    with raw_server(script) as server:
        partner = Partner(f"{server.url}/", session, "t.o.k")
        if call == "create":
            partner.create(row)
        elif call == "status":
            partner.client.get_status(row, upgrade_id)
        else:
            partner.client.get_eligibility(row)
        (request,) = server.requests
    head, _, content = request.decode().partition("\r\n\r\n")
    line, *lines = head.split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    path = {
        "create": "/v1/productupgrades",
        "status": f"/v1/productUpgrades/{upgrade_id}/status",
        "eligibility": "/v1/productUpgrades/eligibility",
    }[call]
    assert line == f"POST {path} HTTP/1.1"
    assert (
        headers
        | {
            "Authorization": "Bearer t.o.k",
            "Accept": "application/json",
            "Content-Type": "application/json",
            "MS-CorrelationId": row.correlation_id,
            "MS-Contract-Version": "v1",
            "X-Locale": "en-US",
            "MS-PartnerCenter-Application": APPLICATION,
        }
        == headers
    )
    assert (headers["MS-RequestId"] == row.ms_request_id) == (call == "create")
    assert "Expect" not in headers
    assert json.loads(content) == {"customerId": row.customer_id, "productFamily": row.product_family}


def test_every_status_and_eligibility_call_has_a_new_request_id_and_the_rows_correlation_id(partner: Partner) -> None:
    row = partner.row()
    upgrade_id = partner.create(row).upgrade_id
    for _ in range(2):
        partner.client.get_status(row, upgrade_id)
        partner.client.get_eligibility(row)
    calls = partner.calls(row)
    assert len({call["msRequestId"] for call in calls}) == len(calls) == 5
    assert {call["correlationId"] for call in calls} == {row.correlation_id}


# Status


def test_a_status_is_asked_until_it_is_final(partner: Partner) -> None:
    row = partner.row("failed-but-one-completed")
    upgrade_id = partner.create(row).upgrade_id
    going, final = (partner.client.get_status(row, upgrade_id) for _ in range(2))
    assert (going.server_status, going.end) == ("InProgress", None)
    assert (final.server_status, final.end) == ("Failed", Status.PARTIALLY_COMPLETED)
    assert (len(final.line_items), final.line_items_failed) == (2, 1)
    assert (final.error_code, final.error_description) == ("900120", "The upgrade cannot be processed.")


def statuses(partner: Partner, scenario: object, count: int) -> list[object]:
    """What so many status calls led to: the kind of error, or the end."""
    row = partner.row(scenario)
    upgrade_id = partner.create(row).upgrade_id
    found: list[object] = []
    for _ in range(count):
        try:
            found.append(partner.client.get_status(row, upgrade_id).end)
        except errors.CallFailed as error:
            found.append(type(error))
    return found


LOST, DONE = errors.OutcomeUnknown, Status.COMPLETED


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ("unknown-status-words", [None] * 8 + [DONE]),
        ("garbled-status", [LOST] * 5 + [None, None, DONE]),
        ("throttled-status", [errors.Throttled, None, DONE]),
        ("status-error", [LOST, LOST, None, DONE]),
        ("cut-status", [LOST, DONE]),  # the first is on a kept connection, so it is sent once more
        ("endless-status", [LOST, DONE]),
        ("not-found-at-first", [errors.UpgradeNotFound, errors.UpgradeNotFound, None, DONE]),
        ("lost-upgrade", [errors.UpgradeNotFound] * 2),
        ({"status": [{"do": "slow", "seconds": 0.5}, {"do": "drip"}]}, [LOST, LOST]),
        ({"status": [{"do": "refuse", "http": 403, "code": 2032}]}, [errors.AccessDenied, None]),
        ({"status": [{"do": "refuse", "http": 403, "code": 900105}]}, [errors.RefusedForGood, None]),
        ({"status": [{"do": "redirect"}]}, [LOST, None]),
    ],
    ids=str,
)
def test_a_status_answer_is_a_verdict_or_not_one(partner: Partner, scenario: object, expected: list[object]) -> None:
    assert statuses(partner, scenario, len(expected)) == expected


def test_an_upgrade_of_another_customer_is_not_found(partner: Partner) -> None:
    upgrade_id = partner.create(partner.row()).upgrade_id
    with pytest.raises(errors.UpgradeNotFound):
        partner.client.get_status(partner.row(), upgrade_id)


# Eligibility


def test_eligibility_names_an_upgrade_that_is_in_place_and_no_failed_one(partner: Partner) -> None:
    row = partner.row("already-completed")
    assert [partner.client.get_eligibility(row).upgrade_id] == partner.upgrade_ids(row)
    for scenario in ("completes", "already-failed"):
        found = partner.client.get_eligibility(partner.row(scenario))
        assert (found.is_eligible, found.upgrade_id) == (True, None)
    refused = partner.client.get_eligibility(partner.row("suspended"))
    assert (refused.is_eligible, refused.upgrade_id) == (False, None)
    assert refused.reason


# What is noted besides


def test_a_call_that_fails_is_logged_with_what_a_support_case_asks_for(
    partner: Partner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    row = partner.row("suspended")
    partner.refused(row)
    (line,) = [r.getMessage() for r in caplog.records if r.getMessage().startswith("call.failed ")]
    logged = json.loads(line.removeprefix("call.failed "))
    assert (logged["call"], logged["http_status"]) == ("create", 403)
    assert (logged["ms_request_id"], logged["correlation_id"]) == (row.ms_request_id, row.correlation_id)
    assert logged["ms_cv"]
    assert logged["ms_server_id"]


@pytest.mark.parametrize("mfa", [True, False])
def test_the_service_is_asked_once_per_token_whether_its_sign_in_had_mfa(
    component: Component, session: requests.Session, tls: Tls, mfa: bool, caplog: pytest.LogCaptureFixture
) -> None:
    partner = Partner(component.facts["api_url"], session, _access_token(component, tls, mfa=mfa))
    partner.control("PUT", "switches", {"require_mfa": False})
    try:
        for _ in range(3):
            partner.create(partner.row())
    finally:
        partner.control("PUT", "switches", {"require_mfa": True})
    assert caplog.text.count('auth.consent_required {"oauth_error": "not_mfa_compliant"}') == (0 if mfa else 1)


def test_the_confirmation_ends_with_the_lease(partner: Partner) -> None:
    no_location = {"do": "slow", "seconds": 0.25, "then": {"do": "location", "value": None}}
    row = partner.row({"create": [no_location], "eligibility": [{"do": "drip"}]})
    began = time.monotonic()
    with pytest.raises(errors.OutcomeUnknown):
        partner.create(row, lease_s=TIMEOUTS.total_s + 0.05)
    assert time.monotonic() - began < 0.25 + TIMEOUTS.total_s - 0.05
    assert partner.kinds(row) == ["create", "eligibility"]
