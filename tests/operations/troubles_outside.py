"""What services may do to an installation: Partner Center, the sign-in, Table Storage. Near misses stand beside."""

from collections.abc import Callable

from shared import errors
from shared.errors import CallFailed
from shared.models import InFlightUpgrade, Position
from tests.operations.installation import Installation
from tests.operations.story import Stories

STORIES = Stories()


@STORIES.ending_with("consent-required", "access-denied", "gate-stuck")
def the_refresh_token_is_revoked(here: Installation) -> None:
    here.authority.trouble = errors.TokenRefused("revoked", code="invalid_grant", aadsts=50173)
    here.ask(3)
    here.run(3)


@STORIES.ending_with("consent-required")
def the_refresh_token_is_revoked_and_somebody_consents_at_once(here: Installation) -> None:
    here.authority.trouble = errors.TokenRefused("revoked", code="invalid_grant", aadsts=50173)
    here.ask()
    here.run(0.1)
    here.authority.trouble = None
    here.consent()
    here.ports.gate.mend()
    here.run(1)


@STORIES.ending_with("credential-invalid", "access-denied", "gate-stuck")
def the_client_secret_expires(here: Installation) -> None:
    here.authority.trouble = errors.TokenRefused("expired", code="invalid_client", aadsts=7000222)
    here.ask(3)
    here.run(3)


@STORIES.ending_with("access-denied")
def partner_center_takes_the_role_away(here: Installation) -> None:
    """No sign-in fails, so nothing else says it."""
    here.partner_center.trouble = lambda row: errors.AccessDenied("no role", code="403", http_status=403)
    here.ask(3)
    here.run(0.7)


@STORIES.ending_with()
def partner_center_takes_the_role_away_for_a_few_minutes(here: Installation) -> None:
    """Before, there were no heartbeats."""
    here.lose_storage(31)
    here.run(0.5)
    here.partner_center.trouble = lambda row: errors.AccessDenied("no role", code="403", http_status=403)
    here.ask(3)
    here.run(14 / 60)


@STORIES.ending_with("refresh-token-old")
def the_token_endpoint_is_silent_for_two_months(here: Installation) -> None:
    here.authority.trouble = errors.TokenUnavailable("no answer")
    here.run(60 * 24, every_s=3600)
    here.run(2)


@STORIES.ending_with()
def the_token_endpoint_is_silent_for_almost_two_months(here: Installation) -> None:
    here.authority.trouble = errors.TokenUnavailable("no answer")
    here.run(60 * 24 - 30, every_s=3600)
    here.run(2)


@STORIES.ending_with("heartbeat-missing")
def table_storage_is_out_for_twenty_minutes(here: Installation) -> None:
    here.lose_storage(20)
    here.run(19 / 60)


@STORIES.ending_with()
def table_storage_is_out_for_ten_minutes(here: Installation) -> None:
    here.lose_storage(10)
    here.run(10 / 60)


@STORIES.ending_with("heartbeat-missing", "messages-held")
def table_storage_is_out_for_two_hours_and_a_request_arrives(here: Installation) -> None:
    here.lose_storage(120)
    here.ask()


@STORIES.ending_with("messages-held")
def table_storage_is_out_for_longer_than_two_holds(here: Installation) -> None:
    here.lose_storage(8)
    here.ask()
    here.tick()


@STORIES.ending_with()
def table_storage_is_out_for_five_minutes_and_a_request_arrives(here: Installation) -> None:
    here.lose_storage(5)
    here.ask()


@STORIES.ending_with("upgrades-overdue")
def status_calls_are_not_answered_until_after_the_deadline(here: Installation) -> None:
    (customer,) = here.ask(after_h=1000)
    here.partner_center.trouble = _for(customer, errors.OutcomeUnknown("no answer"))
    here.run(72, every_s=600)
    here.run(2)


@STORIES.ending_with()
def an_upgrade_is_overdue_for_half_an_hour(here: Installation) -> None:
    (customer,) = here.ask(after_h=1000)
    here.partner_center.trouble = _for(customer, errors.OutcomeUnknown("no answer"))
    here.run(72, every_s=600)
    here.run(0.5)


@STORIES.ending_with()
def an_upgrade_is_overdue_for_half_an_hour_since_there_are_heartbeats_again(here: Installation) -> None:
    (customer,) = here.ask(after_h=1000)
    here.partner_center.trouble = _for(customer, errors.OutcomeUnknown("no answer"))
    here.run(70, every_s=600)
    here.lose_storage(150)
    here.run(2.5)
    here.run(0.5)


@STORIES.ending_with()
def an_upgrade_is_ended_at_its_deadline(here: Installation) -> None:
    here.ask(after_h=1000)
    here.run(72, every_s=600)
    here.run(2)


@STORIES.ending_with("gate-stuck")
def partner_center_is_out_for_three_hours(here: Installation) -> None:
    here.partner_center.trouble = lambda row: errors.OutcomeUnknown("no answer")
    here.ask(8)
    here.run(3)


@STORIES.ending_with()
def partner_center_is_out_for_an_hour(here: Installation) -> None:
    """Before, there were no heartbeats."""
    here.lose_storage(121)
    here.run(2)
    here.partner_center.trouble = lambda row: errors.OutcomeUnknown("no answer")
    here.ask(8)
    here.run(1)


@STORIES.ending_with()
def a_backlog_is_polled_for_hours_after_throttling(here: Installation) -> None:
    here.ask(200, after_h=1000)
    _throttle(here)
    here.partner_center.trouble = _slow(here, None)
    here.run(3)
    assert here.ports.gate.look().position is Position.RECOVERING


@STORIES.ending_with()
def a_backlog_is_submitted_for_hours_after_throttling(here: Installation) -> None:
    """In vain: so nothing is polled."""
    refused = errors.RefusedForNow("later", code="600039", understood=True)
    here.partner_center.trouble = lambda row: refused
    here.ask(200)
    _throttle(here)
    here.partner_center.trouble = _slow(here, refused)
    here.run(3)
    assert here.ports.gate.look().position is Position.RECOVERING


def _throttle(here: Installation) -> None:
    """A moment in which no call gets through."""
    here.partner_center.trouble = lambda row: errors.Throttled(retry_after_s=60)
    here.run(1)
    assert here.ports.gate.look().position is Position.CLOSED


def _slow(here: Installation, end: CallFailed | None) -> Callable[[InFlightUpgrade], CallFailed | None]:
    """Half a minute for each call."""

    def call(row: InFlightUpgrade) -> CallFailed | None:
        here.clock.advance(30)
        return end

    return call


def _for(customer: str, trouble: CallFailed) -> Callable[[InFlightUpgrade], CallFailed | None]:
    """Trouble with the calls for one customer that has its upgrade."""
    return lambda row: trouble if row.customer_id == customer and row.upgrade_id else None
