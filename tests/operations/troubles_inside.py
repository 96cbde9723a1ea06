"""What people and bugs may do to an installation, and how requests may end. Near misses stand beside."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from shared import errors
from shared.errors import CallFailed
from shared.models import InFlightUpgrade, State
from shared.upgrade_store import readable
from shared.upgrades import withdraw
from tests.operations.installation import Installation
from tests.operations.story import Stories

STORIES = Stories()


@STORIES.ending_with()
def nothing_is_asked_for(here: Installation) -> None:
    here.run(3)


@STORIES.ending_with("heartbeat-missing", "settings-invalid", "messages-held")
def a_setting_is_wrong(here: Installation) -> None:
    here.settings_are_wrong = True
    here.run(15 / 60)
    here.ask()
    here.run(2 / 60)


@STORIES.ending_with("requests-waiting", "paused")
def an_operator_forgets_a_pause_for_a_week(here: Installation) -> None:
    here.ports.gate.pause("maintenance")
    here.ask()
    here.run(6 * 24, every_s=3600)
    here.run(25, every_s=300)


@STORIES.ending_with("paused")
def an_operator_pauses_for_a_day(here: Installation) -> None:
    here.ports.gate.pause("maintenance")
    here.ask()
    here.run(24.1, every_s=300)


@STORIES.ending_with("paused")
def an_operator_pauses_for_six_days(here: Installation) -> None:
    here.ports.gate.pause("maintenance")
    here.ask()
    here.run(6 * 24, every_s=900)


@STORIES.ending_with()
def an_operator_pauses_for_a_long_working_day(here: Installation) -> None:
    """And before, there were no heartbeats."""
    here.ports.gate.pause("maintenance")
    here.lose_storage(24 * 60)
    here.run(39, every_s=300)


@STORIES.ending_with("gate-stuck", "access-denied")
def the_row_that_closed_the_gate_is_cancelled_and_no_other_is_due_for_hours(here: Installation) -> None:
    """So nobody finds out whether the trouble is over."""
    here.partner_center.trouble = lambda row: errors.RefusedForNow("later", code="600039", understood=True)
    here.ask()
    here.run(4)
    here.partner_center.trouble = lambda row: errors.AccessDenied("no role", code="403", http_status=403)
    (customer,) = here.ask()
    assert withdraw(here.ports, here.store.in_flight[f"{customer}|azure"])
    here.run(3)


@STORIES.ending_with("rows-failing")
def a_bug_meets_every_request_of_one_customer(here: Installation) -> None:
    here.partner_center.trouble = lambda row: ZeroDivisionError()
    here.ask()
    here.run(0.3)


@STORIES.ending_with()
def a_bug_meets_ten_requests_once(here: Installation) -> None:
    here.partner_center.trouble = lambda row: ZeroDivisionError()
    here.ask(10)
    here.partner_center.trouble = lambda row: None
    here.run(1)


@STORIES.ending_with()
def a_bug_meets_one_request_for_a_few_minutes(here: Installation) -> None:
    here.partner_center.trouble = lambda row: ZeroDivisionError()
    here.ask()
    here.run(0.1)
    here.partner_center.trouble = lambda row: None
    here.run(1)


@STORIES.ending_with("rows-failing")
def somebody_has_spoilt_a_row(here: Installation) -> None:
    _spoil(here, lambda: "spoilt|azure")
    here.run(0.5)


@STORIES.ending_with()
def somebody_has_spoilt_ten_rows_and_mends_each_at_once(here: Installation) -> None:
    _spoil(here, map("{}|azure".format, range(10)).__next__)
    here.run(10 / 60)


@STORIES.ending_with("results-failing")
def every_fourth_upgrade_that_is_not_cancelled_fails(here: Installation) -> None:
    here.ask(15)
    here.ask(5, ends="Failed")
    here.ports.gate.pause("maintenance")
    for customer in here.ask(10):
        row = here.store.in_flight[f"{customer}|azure"]
        here.store.update_in_flight(replace(row, state=State.WITHDRAWN))
    here.ports.gate.resume()
    here.run(3)


@STORIES.ending_with("results-failing")
def every_fourth_request_is_rejected(here: Installation) -> None:
    here.ask(15)
    here.partner_center.trouble = lambda row: errors.RefusedForGood("no", code="600037")
    here.ask(5)
    here.run(3)


@STORIES.ending_with()
def every_tenth_upgrade_fails(here: Installation) -> None:
    here.ask(45)
    here.ask(5, ends="Failed")
    here.run(3)


@STORIES.ending_with()
def four_requests_in_all_and_each_fails(here: Installation) -> None:
    here.ask(4, ends="Failed")
    here.run(3)


@STORIES.ending_with()
def smoke_tests_are_rejected(here: Installation) -> None:
    here.partner_center.trouble = lambda row: errors.RefusedForGood("no such customer", code="600037")
    here.ask(10, request_id="smoke-")
    here.run(1)


def _spoil(here: Installation, row_key: Callable[[], str]) -> None:
    """Each look at the table meets a row that is none, as the adapter of the real table would."""
    list_due = here.store.list_due

    def with_spoilt(now: datetime) -> list[InFlightUpgrade]:
        assert not list(readable([{"RowKey": row_key(), "state": "Lost"}], InFlightUpgrade))
        return list_due(now)

    here.store.list_due = with_spoilt  # type: ignore[method-assign]  # the model cannot hold such a row


def _for(customer: str, trouble: CallFailed) -> Callable[[InFlightUpgrade], CallFailed | None]:
    """Trouble with the calls for one customer that has its upgrade."""
    return lambda row: trouble if row.customer_id == customer and row.upgrade_id else None
