"""Invariant 3 of the campaign: who calls while the gate is not open."""

import pytest

from shared.models import Position, State
from tests.chaos.gate_timeline import SLACK_S
from tests.chaos.record import Poller
from tests.unit.chaos_records import CACHE_S, CREATOR, KEY, NOON_S, OPERATOR, POLLER, Story, expect, instant

CLOSED, RECOVERING, PAUSED, OPEN = Position.CLOSED, Position.RECOVERING, Position.PAUSED, Position.OPEN
KNOWN_S = CACHE_S + SLACK_S  # after a change


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.fixture(params=["create", "status", "eligibility"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# closed


def test_a_call_while_the_gate_is_closed_is_reported(story: Story, kind: str) -> None:
    story.take(9)
    story.gate(10, CLOSED)
    story.call(kind, 10 + KNOWN_S + 0.1)
    expect(story.check(), 3, f"the {kind} call 1 (the row was PollUpgrade's) started 0.10 s after")


@pytest.mark.parametrize("at_s", [9.9, 10 + KNOWN_S - 0.1, 20, 25])
def test_a_call_before_everybody_knows_or_from_the_change_on_is_right(story: Story, kind: str, at_s: float) -> None:
    story.take(9)
    story.gate(10, CLOSED)
    story.gate(20.01, RECOVERING)
    story.call(kind, at_s)
    assert story.check() == []


def test_a_call_that_started_before_may_end_while_the_gate_is_closed(story: Story, kind: str) -> None:
    story.take(9)
    story.gate(10, CLOSED)
    story.call(kind, 9.9, lasts_s=5)
    assert story.check() == []


def test_past_its_time_the_gate_is_closed_until_it_is_moved(story: Story) -> None:
    story.take(9)
    story.gate(10, CLOSED, untilAt=instant(11))
    story.call("status", 13)
    expect(story.check(), 3, "the gate was closed")


def test_moving_the_time_of_a_closed_gate_lets_nobody_through(story: Story) -> None:
    story.take(9)
    story.gate(10, CLOSED, untilAt=instant(15))
    story.gate(12, CLOSED, untilAt=instant(18))
    story.call("status", 12.1)
    expect(story.check(), 3, "the gate was closed")


def test_a_deleted_row_is_an_open_gate(story: Story) -> None:
    story.take(9)
    story.gate(10, CLOSED)
    story.gate(12, None)
    story.call("status", 15)
    assert story.check() == []


def test_the_order_of_changes_is_that_of_their_sending(story: Story) -> None:
    """The answer to the first one was slower than the second one altogether."""
    story.take(9)
    story.gate(10.05, CLOSED)
    story.gate(10.1, OPEN)
    first, second = story.writes[-2:]
    assert first.sent_s < second.sent_s
    story.writes[-2] = type(first)(**vars(first) | {"answered_s": NOON_S + 10.2})
    story.call("status", 15)
    assert story.check() == []


# claims


@pytest.mark.parametrize("position", [CLOSED, RECOVERING, PAUSED])
def test_a_claim_with_a_lease_is_reported_unless_the_gate_is_open(story: Story, position: Position) -> None:
    story.gate(10, position)
    story.claim(15)
    expect(story.check(), 3, f"{CREATOR} claimed with a lease 4.29 s after everybody knew", KEY)


@pytest.mark.parametrize("position", [CLOSED, RECOVERING, PAUSED])
def test_a_deferred_claim_is_right_at_any_position(story: Story, position: Position) -> None:
    story.gate(10, position)
    story.claim(15, State.DEFERRED)
    assert story.check() == []


def test_a_claim_is_judged_by_when_it_was_decided(story: Story) -> None:
    story.gate(10, CLOSED)
    story.claim(12, decided_s=9.9)
    assert story.check() == []


# recovering


def test_a_direct_create_call_while_recovering_is_reported(story: Story) -> None:
    story.claim(9)
    story.gate(10, RECOVERING)
    story.call("create", 12)
    expect(story.check(), 3, "the row was CreateUpgrade's")


def test_a_create_call_of_a_row_that_nobody_has_taken_is_reported_while_recovering(story: Story) -> None:
    story.claim(9, State.DEFERRED)
    story.gate(10, RECOVERING)
    story.call("create", 12)
    expect(story.check(), 3, "the row was nobody's")


def test_the_poller_makes_create_calls_while_recovering(story: Story) -> None:
    story.claim(9)
    story.gate(10, RECOVERING)
    story.take(11.9)
    story.call("create", 12)
    assert story.check() == []


def test_a_row_belongs_to_whoever_took_it_last_before_the_call(story: Story) -> None:
    story.gate(10, RECOVERING)
    story.take(11.9, writer=CREATOR)
    story.call("create", 12)
    story.take(12.5)
    expect(story.check(), 3, "the row was CreateUpgrade's")


def test_the_creator_may_still_ask_what_its_call_has_led_to(story: Story) -> None:
    story.claim(9)
    story.gate(10, RECOVERING)
    story.call("eligibility", 12)
    assert story.check() == []


def _crowd(
    story: Story, calls: int, *, kind: str = "create", lasts_s: float = 1.0, writer: str = POLLER, **changed: object
) -> None:
    for number in range(calls):
        key = (f"customer-{number}", "azure", "r1")
        story.take(11, writer, key=key)
        story.call(kind, 12 + number / 100, key=key, lasts_s=lasts_s, **changed)


def test_more_calls_at_once_than_allowed_are_reported_once_for_a_stretch(story: Story) -> None:
    story.gate(10, RECOVERING)
    _crowd(story, 4)
    expect(story.check(), 3, "4 calls of PollUpgrade at the same time, 2 are allowed")


def test_calls_one_after_the_other_are_no_crowd(story: Story) -> None:
    story.gate(10, RECOVERING)
    _crowd(story, 4, lasts_s=0.01)
    assert story.check() == []


def test_a_second_poller_may_make_as_many_calls_again(story: Story) -> None:
    story.gate(10, RECOVERING)
    story.pollers += [Poller(POLLER, NOON_S, None), Poller("PollUpgrade-13", NOON_S + 11, NOON_S + 14)]
    _crowd(story, 4)
    assert story.check() == []
    story.pollers[1] = Poller("PollUpgrade-13", NOON_S + 5, NOON_S + 9)
    expect(story.check(), 3, "2 are allowed")


def test_calls_that_nobody_waits_for_any_more_are_no_crowd(story: Story) -> None:
    story.gate(10, RECOVERING)
    _crowd(story, 4, seen=False, http="none")
    assert story.check() == []


def test_what_the_creator_asks_after_its_own_calls_is_no_crowd_of_the_poller(story: Story) -> None:
    story.gate(10, RECOVERING)
    _crowd(story, 4, writer=CREATOR, kind="eligibility")
    assert story.check() == []


def test_status_calls_of_rows_that_the_creator_has_handed_over_are_the_pollers(story: Story) -> None:
    story.gate(10, RECOVERING)
    for number in range(3):
        key = (f"customer-{number}", "azure", "r1")
        story.row(9, CREATOR, key=key, upgradeId="u1", outcomeUnknown=False)
        story.call("status", 12, key=key, lasts_s=1)
    expect(story.check(), 3, "3 calls of PollUpgrade at the same time")


def test_with_the_gate_open_pollers_and_creators_call_as_they_like(story: Story) -> None:
    story.gate(10, OPEN)
    _crowd(story, 4)
    assert story.check() == []


# paused


def test_a_create_call_while_paused_is_reported_and_a_status_call_is_not(story: Story) -> None:
    story.gate(10, PAUSED, writer=OPERATOR)
    story.take(11)
    story.call("status", 12)
    story.call("eligibility", 12.2)
    assert story.check() == []
    story.call("create", 13)
    expect(story.check(), 3, "the create call 3 (the row was PollUpgrade's) started")


def test_nobody_calls_while_paused_until_the_time_that_a_trouble_has_set(story: Story) -> None:
    story.gate(10, PAUSED, writer=OPERATOR)
    story.gate(12, PAUSED, untilAt=instant(15))
    story.call("status", 11)
    story.call("status", 15.1)
    assert story.check() == []
    story.call("status", 14)
    expect(story.check(), 3, "the status call 3")


def test_a_time_that_was_moved_to_now_holds_nobody_in_a_pause(story: Story) -> None:
    story.gate(10, PAUSED, writer=OPERATOR, untilAt=instant(60))
    story.gate(12, PAUSED, writer=OPERATOR, untilAt=instant(12))
    story.call("status", 14)
    assert story.check() == []


def test_status_calls_while_paused_may_be_many(story: Story) -> None:
    story.gate(10, PAUSED, writer=OPERATOR)
    _crowd(story, 4, kind="status")
    assert story.check() == []


def test_a_pause_that_is_resumed_is_over_whatever_time_was_set(story: Story) -> None:
    story.gate(10, PAUSED, writer=OPERATOR, untilAt=instant(60))
    story.gate(12, RECOVERING, writer=OPERATOR, untilAt=instant(12))
    story.call("status", 14)
    assert story.check() == []
