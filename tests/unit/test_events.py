"""The form of a log line."""

import json
import logging
from datetime import UTC, datetime

import pytest

from shared.events import about, emit
from shared.models import Reason
from tests.fakes import CUSTOMER, request
from tests.unit.rows import in_flight


def emitted(caplog: pytest.LogCaptureFixture) -> tuple[str, str]:
    (record,) = caplog.records
    event, _, fields = record.getMessage().partition(" ")
    return event, fields


@pytest.fixture(autouse=True)
def _all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "upgrades")


def test_a_line_is_the_events_name_a_space_and_one_json_object(caplog: pytest.LogCaptureFixture) -> None:
    emit(logging.WARNING, "gate.closed", reason="throttled", closed_s=1.5, problems=["a b", "c"])
    event, fields = emitted(caplog)
    assert event == "gate.closed"
    assert json.loads(fields) == {"reason": "throttled", "closed_s": 1.5, "problems": ["a b", "c"]}
    assert (caplog.records[0].levelno, caplog.records[0].name) == (logging.WARNING, "upgrades")


def test_fields_that_are_none_are_left_out_and_others_that_are_empty_are_not(caplog: pytest.LogCaptureFixture) -> None:
    emit(logging.INFO, "x", none=None, zero=0, empty="", false=False)
    assert json.loads(emitted(caplog)[1]) == {"zero": 0, "empty": "", "false": False}


def test_instants_are_iso_8601_in_utc(caplog: pytest.LogCaptureFixture) -> None:
    emit(logging.INFO, "x", until=datetime(2026, 3, 1, 12, 0, 0, 500, UTC))
    assert json.loads(emitted(caplog)[1]) == {"until": "2026-03-01T12:00:00.000500+00:00"}


def test_enumerations_are_their_values(caplog: pytest.LogCaptureFixture) -> None:
    emit(logging.INFO, "x", reason=Reason.THROTTLED)
    assert json.loads(emitted(caplog)[1]) == {"reason": "throttled"}


@pytest.mark.parametrize("text", ["100%", "%s %d", "a\nb", "\ud800", "ä"])
def test_whatever_a_field_holds_the_line_stays_one_line_of_ascii(caplog: pytest.LogCaptureFixture, text: str) -> None:
    emit(logging.INFO, "x", text=text)
    line = caplog.records[0].getMessage()
    assert line.isascii()
    assert line.count("\n") == 0
    assert json.loads(emitted(caplog)[1]) == {"text": text}


def test_a_request_and_its_row_are_named_alike() -> None:
    asked = request("r1")
    named = {
        "customer_id": CUSTOMER,
        "product_family": "Azure",
        "request_id": "r1",
        "correlation_id": asked.correlation_id,
        "upgrade_id": None,
    }
    assert about(asked) == named
    row = in_flight(correlation_id=asked.correlation_id)
    assert about(row) == named


def test_a_row_that_has_an_upgrade_names_it() -> None:
    assert about(in_flight(upgrade_id="u"))["upgrade_id"] == "u"
