"""The two functions as the platform runs them: the real worker library, real SDKs, local services."""

import json
import logging
import re
import time
from uuid import uuid4

import pytest

from local.component import REPOSITORY
from shared.models import State, Status
from shared.settings import Settings
from shared.upgrade_store import TableStore
from tests.contract.fake_partner_center import Partner
from tests.functions.conftest import Invoke

pytestmark = pytest.mark.usefixtures("app_settings")


def _body(customer_id: str, request_id: str = "r1") -> bytes:
    return json.dumps({"customerId": customer_id, "productFamily": "azure", "requestId": request_id}).encode()


def test_a_message_becomes_a_row_in_progress_and_a_tick_makes_it_a_result(
    deliver: Invoke, tick: Invoke, store: TableStore, partner: Partner
) -> None:
    customer_id = partner.customer({"course": {"polls": 1}})
    assert deliver(_body(customer_id)).succeeded
    row = store.get_in_flight(customer_id, "Azure")
    assert row is not None
    assert row.state is State.IN_PROGRESS
    deadline = time.monotonic() + 10
    while store.get_in_flight(customer_id, "Azure") and time.monotonic() < deadline:
        assert tick().succeeded
        time.sleep(0.05)
    result = store.get_result(customer_id, "Azure", "r1")
    assert result is not None
    assert result.status is Status.COMPLETED
    assert result.upgrade_id == row.upgrade_id


def test_a_redelivered_message_does_not_create_twice(deliver: Invoke, partner: Partner) -> None:
    customer_id = partner.customer()
    assert deliver(_body(customer_id)).succeeded
    assert deliver(_body(customer_id), delivery_count=2).succeeded
    calls, upgrades = partner.ledger(customer_id)
    assert len(upgrades) == len(calls) == 1


def test_a_body_that_breaks_the_contract_fails_the_delivery_at_once_and_is_never_logged(
    deliver: Invoke, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "do-not-log-me"
    result = deliver(json.dumps({"customerId": secret, "productFamily": "Azure"}).encode())
    assert result.error is not None
    assert "InvalidRequest" in result.error.message
    assert '"where": "$.customerId"' in caplog.text
    assert secret not in caplog.text + result.error.message + str(result.error.stack_trace)


def test_an_invalid_body_is_loud_once_only(deliver: Invoke, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "upgrades")
    deliver(b"{", delivery_count=1)
    deliver(b"{", delivery_count=2)
    levels = [r.levelno for r in caplog.records if r.getMessage().startswith("request.invalid")]
    assert levels == [logging.WARNING, logging.DEBUG]


def test_bytes_that_are_no_text_reach_the_parser_as_they_are(deliver: Invoke, caplog: pytest.LogCaptureFixture) -> None:
    deliver(b'{"customerId": "\xff\xfe"}')
    assert '"reason": "not UTF-8"' in caplog.text


def test_after_the_claim_the_function_returns_whatever_partner_center_does(
    deliver: Invoke, store: TableStore, app_settings: pytest.MonkeyPatch
) -> None:
    app_settings.setenv("PARTNER_CENTER_URL", "http://127.0.0.1:9")
    customer_id = str(uuid4())
    assert deliver(_body(customer_id)).succeeded
    row = store.get_in_flight(customer_id, "Azure")
    assert row is not None
    assert row.outcome_unknown
    assert row.next_attempt_at > row.claimed_at


def test_no_secret_or_token_is_ever_logged(
    deliver: Invoke, tick: Invoke, partner: Partner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    deliver(_body(partner.customer()))
    tick()
    assert partner.facts["client_secret"] not in caplog.text
    assert "Bearer" not in caplog.text
    assert not re.search(r"refresh_token|access_token", caplog.text)


def test_the_names_in_function_json_are_settings() -> None:
    text = "".join((REPOSITORY / name / "function.json").read_text() for name in ("CreateUpgrade", "PollUpgrade"))
    assert set(re.findall(r"%(\w+)%", text)) == {"UPGRADE_QUEUE", "POLL_SCHEDULE"}
    assert json.loads((REPOSITORY / "CreateUpgrade" / "function.json").read_text())["bindings"][0]["name"] == "msg"


def test_host_json_bounds_what_the_settings_rely_on() -> None:
    host = json.loads((REPOSITORY / "host.json").read_text())
    bus = host["extensions"]["serviceBus"]
    assert host["functionTimeout"] == "00:10:00"
    assert bus["maxAutoLockRenewalDuration"] == "00:05:00"
    assert Settings.storage_hold_s + Settings.azure_call_deadline_s < 300
    assert Settings.tick_budget_s + Settings.lease_s <= 600
    assert (bus["prefetchCount"], bus["autoCompleteMessages"], bus["maxConcurrentCalls"]) == (0, True, 16)
    assert host["logging"]["applicationInsights"]["samplingSettings"]["excludedTypes"] == "Trace;Exception"
