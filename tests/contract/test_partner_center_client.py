"""The three calls over a socket: what is sent, what is held back, and what is lost on the way."""

import json
import time
from uuid import uuid4

import pytest
import requests

from shared import errors
from shared.partner_center import APPLICATION
from tests.contract.caller import Caller
from tests.contract.fake_partner_center import Partner
from tests.unit import rows
from tests.unit.raw_server import Peer, raw_server

# Sent


@pytest.mark.parametrize("call", ["create", "status", "eligibility"])
def test_a_request_is_as_the_vendors_page_demands(partner: Partner, session: requests.Session, call: str) -> None:
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
        caller = Caller(partner, session, url=f"{server.url}/", token="t.o.k")
        if call == "create":
            caller.create(row)
        elif call == "status":
            caller.client.get_status(row, upgrade_id)
        else:
            caller.client.get_eligibility(row)
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


def test_every_status_and_eligibility_call_has_a_new_request_id_and_the_rows_correlation_id(caller: Caller) -> None:
    row = caller.row()
    upgrade_id = caller.create(row).upgrade_id
    for _ in range(2):
        caller.client.get_status(row, upgrade_id)
        caller.client.get_eligibility(row)
    calls = caller.calls(row)
    assert len({call["msRequestId"] for call in calls}) == len(calls) == 5
    assert {call["correlationId"] for call in calls} == {row.correlation_id}


# Not sent


def test_what_may_not_be_sent_any_more_is_held_back_after_the_token_was_made(caller: Caller) -> None:
    row, lease_ends = caller.row(), caller.clock.monotonic() + 60
    for call in (
        lambda: caller.client.create_upgrade(row, lease_ends=lease_ends, may_send=lambda: False),
        lambda: caller.client.get_status(row, str(uuid4()), may_send=lambda: False),
        lambda: caller.client.get_eligibility(row, may_send=lambda: False),
    ):
        with pytest.raises(errors.HeldBack):
            call()
    assert caller.calls(row) == []


def test_with_less_of_the_lease_than_the_call_may_take_nothing_is_sent(caller: Caller) -> None:
    row = caller.row()
    with pytest.raises(errors.LeaseTooShort):
        caller.create(row, lease_s=caller.timeouts.total_s - 0.001)
    assert caller.calls(row) == []
    caller.create(row, lease_s=caller.timeouts.total_s)
    assert caller.kinds(row) == ["create"]


def test_the_lease_is_looked_at_after_the_token_was_made(caller: Caller) -> None:
    row = caller.row()
    caller.tokens.takes_s = 10
    with pytest.raises(errors.LeaseTooShort):
        caller.create(row, lease_s=10)
    assert caller.calls(row) == []


@pytest.mark.parametrize("trouble", [errors.TokenUnavailable("out"), errors.TokenRefused(code="invalid_grant")])
def test_without_a_token_nothing_is_sent(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, trouble: errors.CallFailed
) -> None:
    def get_token() -> str:
        raise trouble

    monkeypatch.setattr(caller.tokens, "get_token", get_token)
    row = caller.row()
    assert caller.refused(row) is trouble
    for call in (lambda: caller.client.get_status(row, str(uuid4())), lambda: caller.client.get_eligibility(row)):
        with pytest.raises(type(trouble)):
            call()
    assert caller.calls(row) == []


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
    caller: Caller, step: dict[str, object], created: int | None, longest_s: float
) -> None:
    caller = caller.in_haste()
    row = caller.row({"create": [step]})
    began = time.monotonic()
    error = caller.refused(row)
    assert time.monotonic() - began < longest_s + 0.3
    assert type(error) is errors.OutcomeUnknown
    if created is not None:
        assert len(caller.upgrade_ids(row)) == created
    again = caller.create(row)
    assert caller.upgrade_ids(row) == [again.upgrade_id]
    assert not again.adopted
    assert {call["msRequestId"] for call in caller.calls(row) if call["kind"] == "create"} == {row.ms_request_id}


def test_a_service_that_cannot_be_reached_leaves_the_outcome_unknown(caller: Caller) -> None:
    with raw_server(lambda peer: None) as server:
        url = server.url
    client = Caller(caller.partner, caller.session, url=url).client
    with pytest.raises(errors.OutcomeUnknown):
        client.create_upgrade(caller.row(), lease_ends=caller.clock.monotonic() + 60)


def test_a_429_after_a_second_sending_tells_nothing_about_the_first(caller: Caller) -> None:
    """The kept connection breaks when the upgrade is there already; the second sending does not get that far."""
    caller.create(caller.row())  # so that the connection is a kept one
    row = caller.row("cut-after")
    caller.partner.control("PUT", "switches", {"api_bucket": {"rate_per_s": 0.01, "burst": 1}})
    try:
        error = caller.refused(row)
    finally:
        caller.partner.control("PUT", "switches", {"api_bucket": None})
    assert isinstance(error, errors.OutcomeUnknown)
    assert isinstance(error.trouble, errors.Throttled)
    assert [call["http"] for call in caller.calls(row)] == ["cut", 429]
    assert caller.create(row).upgrade_id in caller.upgrade_ids(row)
    assert len(caller.upgrade_ids(row)) == 1
