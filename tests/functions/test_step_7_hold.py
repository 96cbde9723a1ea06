"""Step 7: a message is held until its row or its result exists; bounded, and only then is the delivery failed."""

import json
import logging
import sys
import threading
import time
from uuid import uuid4

import pytest

import CreateUpgrade
from shared.upgrade_store import TableStore
from tests.functions.conftest import Invoke

HOLD_S = 1.5


@pytest.fixture(autouse=True)
def _short_hold(app_settings: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    app_settings.setenv("STORAGE_HOLD_S", str(HOLD_S))
    app_settings.setenv("AZURE_CALL_DEADLINE_S", "0.3")


def _body() -> bytes:
    return json.dumps({"customerId": str(uuid4()), "productFamily": "Azure"}).encode()


def _timed(deliver: Invoke, error_type: str) -> float:
    """Seconds until the delivery failed with that error."""
    began = time.monotonic()
    result = deliver(_body())
    assert result.error is not None
    assert error_type in result.error.message
    return time.monotonic() - began


def test_a_storage_outage_holds_the_message_for_the_hold_and_not_longer(
    deliver: Invoke, app_settings: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app_settings.setenv("TABLES_URL", "https://127.0.0.1:9/devstoreaccount1")
    assert HOLD_S <= _timed(deliver, "StoreUnavailable") < HOLD_S + 0.7
    assert 'request.held {"reason": "StoreUnavailable", "delivery_count": 1' in caplog.text


def test_an_outage_of_the_identity_endpoint_holds_the_message(
    deliver: Invoke, app_settings: pytest.MonkeyPatch
) -> None:
    app_settings.setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:9/msi/token")
    assert HOLD_S <= _timed(deliver, "StoreUnavailable") < HOLD_S + 0.7


def test_a_message_is_accepted_as_soon_as_storage_is_back(
    deliver: Invoke, app_settings: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch, store: TableStore
) -> None:
    app_settings.setenv("STORAGE_HOLD_S", "20")
    out = threading.Event()
    real = TableStore.insert_in_flight

    def insert(self: TableStore, row: object) -> object:
        if not out.is_set():
            out.set()
            raise ConnectionError
        return real(self, row)  # type: ignore[arg-type]

    monkeypatch.setattr(TableStore, "insert_in_flight", insert)
    began = time.monotonic()
    assert deliver(_body()).succeeded
    assert time.monotonic() - began < 10


def test_wrong_settings_are_one_log_line_that_names_them_all_and_hold_the_message(
    deliver: Invoke, app_settings: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app_settings.delenv("PARTNER_TENANT_ID")
    app_settings.setenv("LEASE_S", "many")
    app_settings.setenv("KEY_VAULT_URL", "http://example.org")
    assert _timed(deliver, "InvalidSettings") >= HOLD_S
    lines = [r.getMessage() for r in caplog.records if r.getMessage().startswith("settings.invalid")]
    assert len(lines) == 2  # as the message arrives, and as it is given back
    for name in ("PARTNER_TENANT_ID", "LEASE_S", "KEY_VAULT_URL"):
        assert name in lines[0]


def test_wrong_settings_end_a_tick_and_nothing_raises(
    tick: Invoke, app_settings: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app_settings.delenv("TABLES_URL")
    assert tick().succeeded
    assert "settings.invalid" in caplog.text
    assert "poll.tick" not in caplog.text


def test_an_import_that_fails_holds_the_message(deliver: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shared.messages", None)
    assert _timed(deliver, "ModuleNotFoundError") >= HOLD_S


def test_a_body_that_is_no_request_is_not_held(deliver: Invoke) -> None:
    began = time.monotonic()
    assert not deliver(b"no request").succeeded
    assert time.monotonic() - began < HOLD_S


@pytest.mark.parametrize(
    ("setting", "hold_s"),
    [("", 200), ("soon", 200), ("0.5", 0.5), ("nan", 200), ("inf", 200), ("-1", 200), ("0", 200), ("1e12", 200)],
)
def test_a_hold_that_is_no_time_below_the_lock_renewal_is_the_default(
    setting: str, hold_s: float, app_settings: pytest.MonkeyPatch
) -> None:
    app_settings.setenv("STORAGE_HOLD_S", setting)
    assert CreateUpgrade._hold_s() == hold_s
