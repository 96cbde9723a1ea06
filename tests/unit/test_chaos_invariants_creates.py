"""Invariant 2 of the campaign: one upgrade per request, and no new MS-RequestId while an outcome is unknown."""

from typing import Any

import pytest

from local.truth import correlation_of
from shared.models import Status
from tests.unit.chaos_records import KEY, LATER, Story, expect

ACCEPTED: dict[str, Any] = {"http": 202}
REFUSED: dict[str, Any] = {"http": 403, "code": 900130}
DENIED: dict[str, Any] = {"http": 403, "code": 2032}
THROTTLED: dict[str, Any] = {"http": 429}
UNAUTHORIZED: dict[str, Any] = {"http": 401, "code": 800001}
IN_PLACE: dict[str, Any] = {"http": 409, "code": 900109}
CUT: dict[str, Any] = {"http": "cut", "seen": False}
UNKNOWN: list[dict[str, Any]] = [
    CUT,
    {"http": "none", "seen": False},
    {"http": "none", "seen": False, "endedS": None},
    {"http": 202, "seen": False},
    {"http": 403, "code": 900130, "seen": False},
    {"http": 503, "code": 800003},
    {"http": 307},
    {"http": 403},  # of something in between: no code of the service's
]


@pytest.fixture
def story() -> Story:
    return Story()


def test_a_second_upgrade_of_a_request_is_reported(story: Story) -> None:
    story.completes()
    story.upgrade("u0", "failed")
    story.create(1.2, of="u0", **REFUSED)  # the client was lied to, so nothing is wrong with the new id
    expect(story.check(), 2, "2 upgrades were created", KEY)


def test_an_upgrade_that_no_request_asked_for_is_reported(story: Story) -> None:
    story.upgrade()
    story.create(1, of="u1")
    expect(story.check(), 2, f"{correlation_of(KEY)!r}, which is no request")


@pytest.mark.parametrize("unknown", UNKNOWN)
def test_a_new_id_after_an_unknown_outcome_is_reported(story: Story, unknown: dict[str, Any]) -> None:
    story.create(1, ms="a", **unknown)
    story.create(2, ms="b")
    expect(story.check(), 2, "call 2 (b, 202) followed call 1")


@pytest.mark.parametrize("unknown", UNKNOWN)
def test_the_same_id_after_an_unknown_outcome_is_right(story: Story, unknown: dict[str, Any]) -> None:
    story.create(1, ms="a", **unknown)
    story.create(2, ms="a")
    assert story.check() == []


@pytest.mark.parametrize("answer", [REFUSED, DENIED, THROTTLED, UNAUTHORIZED])
def test_a_new_id_after_an_answer_is_right(story: Story, answer: dict[str, Any]) -> None:
    story.create(1, ms="a", **answer)
    story.create(2, ms="b")
    assert story.check() == []


@pytest.mark.parametrize("answer", [DENIED, THROTTLED, UNAUTHORIZED])
def test_an_answer_that_is_given_before_the_service_looks_settles_nothing_that_was_unknown(
    story: Story, answer: dict[str, Any]
) -> None:
    story.create(1, ms="a", **CUT)
    story.create(2, ms="a", **answer)
    assert story.check() == []
    story.create(3, ms="b")
    expect(story.check(), 2, "the outcome of call 1 (a, no answer) was unknown")


def test_an_answer_to_the_same_id_settles_what_was_unknown(story: Story) -> None:
    story.create(1, ms="a", **CUT)
    story.create(2, ms="a", **THROTTLED)
    story.create(3, ms="a", **REFUSED)
    story.create(4, ms="b")
    assert story.check() == []


def test_an_answer_settles_nothing_that_was_sent_after_it(story: Story) -> None:
    story.create(1, ms="a", **REFUSED)  # seen, but its process was killed before it was stored
    story.create(2, ms="a", **CUT)
    story.create(3, ms="b")
    expect(story.check(), 2, "the outcome of call 2 (a, no answer) was unknown")


@pytest.mark.parametrize("answer", [REFUSED, THROTTLED])
def test_a_call_that_is_still_running_is_unknown(story: Story, answer: dict[str, Any]) -> None:
    story.create(1, ms="a", lasts_s=3, **answer)
    story.create(2, ms="b")
    expect(story.check(), 2, "the outcome of call 1 (a, 4")


def test_a_call_that_is_still_running_is_settled_by_the_answer_to_its_repeat(story: Story) -> None:
    story.create(1, ms="a", lasts_s=3, http="none", seen=False)
    story.create(2, ms="a", **REFUSED)
    story.create(2.5, ms="b")
    assert story.check() == []


def test_a_new_id_after_an_accepted_call_is_reported(story: Story) -> None:
    story.create(1, ms="a")
    story.create(2, ms="b", **REFUSED)
    expect(story.check(), 2, "call 1 (a, 202) had led to an upgrade")


def test_a_new_id_after_the_upgrade_is_known_to_be_lost_is_right(story: Story) -> None:
    story.completes()
    story.upgrades[0]["id"] = "u2"
    story.upgrade("u1", "vanished")
    story.lost(6)
    story.create(7, ms="b", of="u2")
    story.status(8, "u2")
    story.results.clear()
    story.writes.pop()
    story.result(upgrade_id="u2")
    assert story.check() == []


def test_failed_after_a_second_loss_is_right_and_a_third_upgrade_is_not(story: Story) -> None:
    story.message()
    for number in (1, 2):
        story.upgrade(f"u{number}", "vanished")
        story.create(10 * number, ms=f"id-{number}", of=f"u{number}")
        story.lost(10 * number + 5, f"u{number}")
    story.result(Status.FAILED, 30, upgrade_id="u2")
    assert story.check() == []
    story.upgrade("u3", "vanished")
    story.create(26, ms="id-3", of="u3")
    expect(story.check(), 2, "3 upgrades were created", KEY)


@pytest.mark.parametrize("known_s", [0.5, 1.9, 2.5])
def test_a_loss_counts_only_when_it_is_known_in_between(story: Story, known_s: float) -> None:
    """0.5: of an earlier upgrade. 1.9: eligibility is told too late. 2.5: all of it is."""
    story.create(1, ms="a")
    story.lost(known_s)
    story.create(2, ms="b")
    expect(story.check(), 2, "had led to an upgrade")


def test_a_new_id_after_an_upgrade_in_place_needs_the_word_of_eligibility(story: Story) -> None:
    story.call("eligibility", 0.5)
    story.create(1, ms="a", **IN_PLACE)
    story.create(3, ms="b")
    expect(story.check(), 2, "call 2 (a, 409) had led to an upgrade")
    story.call("eligibility", 2)
    assert story.check() == []


def test_each_request_has_ids_of_its_own(story: Story) -> None:
    story.create(1, ms="a", **CUT)
    story.create(2, ms="b", key=LATER, **CUT)
    assert story.check() == []


def test_two_calls_at_the_same_time_are_reported(story: Story) -> None:
    story.create(1, ms="a", lasts_s=3)
    story.create(2, ms="a")
    expect(story.check(), 2, "call 1 (a, 202) and call 2 (a, 202) were made at the same time")


def test_a_call_that_its_client_has_given_up_is_not_made_at_the_same_time(story: Story) -> None:
    story.create(1, ms="a", lasts_s=3, http="none", seen=False)
    story.create(2, ms="a")
    assert story.check() == []
