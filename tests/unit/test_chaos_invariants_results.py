"""Invariant 1 of the campaign: one true result per request, and dead letters for everything else."""

from dataclasses import replace

import pytest

from shared.models import Status
from tests.chaos.record import Sent
from tests.fakes import CUSTOMER
from tests.unit.chaos_records import KEY, LATER, NOON_S, POLLER, Story, expect


@pytest.fixture
def story() -> Story:
    story = Story()
    story.completes()
    return story


def test_nothing_is_wrong_with_a_request_that_went_well(story: Story) -> None:
    assert story.check() == []


def test_a_request_without_a_result_is_reported_once_however_often_it_was_sent(story: Story) -> None:
    story.message(LATER)
    story.message(LATER, 3)
    expect(story.check(), 1, "no result", LATER)


def test_an_untrue_result_is_reported() -> None:
    story = Story()
    story.completes()
    story.upgrades[0]["state"] = "failed"
    expect(story.check(), 1, "the truth is Failed", KEY)


def test_a_result_that_nobody_asked_for_is_reported(story: Story) -> None:
    story.result(Status.CANCELLED, key=LATER)
    expect(story.check(), 1, "nobody asked for", LATER)


@pytest.mark.parametrize("kind", ["update", "delete"])
def test_a_verdict_that_is_written_over_is_reported(story: Story, kind: str) -> None:
    fields = {"status": "Completed"} if kind == "update" else {}
    story.write(20, POLLER, "UpgradeResults", kind, (CUSTOMER, "azure|r1"), **fields)
    expect(story.check(), 1, f"Completed was followed by another {kind}", KEY)


def test_a_duplicate_that_is_deleted_is_reported(story: Story) -> None:
    story.message(LATER)
    story.result(Status.DUPLICATE, key=LATER, duplicate_of="r1")
    story.write(20, POLLER, "UpgradeResults", "delete", (CUSTOMER, "azure|r2"))
    expect(story.check(), 1, "Duplicate was followed by another delete", LATER)


def test_a_duplicate_gives_way_to_a_verdict() -> None:
    story = Story()
    story.write(5, POLLER, "UpgradeResults", "insert", (CUSTOMER, "azure|r1"), status="Duplicate")
    story.completes()
    assert story.check() == []


def test_whoever_comes_after_the_end_of_another_one_is_no_duplicate_of_it() -> None:
    story = _failed()
    story.message(LATER, 12)
    story.result(Status.DUPLICATE, 13, key=LATER, duplicate_of="r1")
    expect(story.check(), 1, "a duplicate of r1, which had ended as Failed 1.90 s before", LATER)


@pytest.mark.parametrize("at_s", [3, 11])
def test_whoever_comes_before_the_end_or_at_the_same_time_may_be_a_duplicate(at_s: float) -> None:
    story = _failed()
    story.message(LATER, at_s)
    story.result(Status.DUPLICATE, 13, key=LATER, duplicate_of="r1")
    assert story.check() == []


def test_a_second_message_after_the_end_does_not_make_a_duplicate_late() -> None:
    story = _failed()
    story.message(LATER, 30)
    story.message(LATER, 3)
    story.result(Status.DUPLICATE, 4, key=LATER, duplicate_of="r1")
    assert story.check() == []


def test_a_verdict_is_final_when_it_is_written_not_when_it_is_made() -> None:
    story = _failed()
    story.writes[-1] = replace(story.writes[-1], answered_s=NOON_S + 15)
    story.message(LATER, 13)
    story.result(Status.DUPLICATE, 14, key=LATER, duplicate_of="r1")
    assert story.check() == []


def test_whoever_has_seen_the_result_before_sending_gets_no_tolerance() -> None:
    story = _failed()
    story.message(LATER, 10.2, follows=KEY)
    story.result(Status.DUPLICATE, 11, key=LATER, duplicate_of="r1")
    expect(story.check(), 1, "a duplicate of r1", LATER)


def test_after_a_completed_upgrade_every_later_request_is_a_duplicate(story: Story) -> None:
    story.message(LATER, 30, follows=KEY)
    story.result(Status.DUPLICATE, 31, key=LATER, duplicate_of="r1")
    assert story.check() == []


def test_a_duplicate_of_a_duplicate_is_judged_by_the_verdict_at_its_end() -> None:
    story = _failed()
    third = (*KEY[:2], "r3")
    story.message(LATER, 3)
    story.result(Status.DUPLICATE, 4, key=LATER, duplicate_of="r1")
    story.message(third, 20)
    story.result(Status.DUPLICATE, 21, key=third, duplicate_of="r2")
    expect(story.check(), 1, "a duplicate of r1", third)


def test_every_body_that_is_no_request_is_a_dead_letter_byte_for_byte(story: Story) -> None:
    story.message(None, body=b"\xff")
    story.message(None, body=b"\xff")
    assert story.check() == []
    expect(story.check(dead=[("m1", b"\xff")]), 1, r"a dead letter is missing: b'\xff', 1 bytes")


def test_a_dead_letter_that_was_changed_is_both_missing_and_too_many(story: Story) -> None:
    story.message(None, body=b"\xff")
    assert [violation.invariant for violation in story.check(dead=[("m1", b"\xfe")])] == [1, 1]


def test_a_request_among_the_dead_letters_is_reported(story: Story) -> None:
    expect(story.check(dead=[("m0", story.sent[0].body)]), 1, "none of the bodies", KEY)


def test_a_message_that_was_sent_twice_may_be_two_dead_letters(story: Story) -> None:
    story.message(None, body=b"?")
    assert story.check(dead=[("m1", b"?"), ("m1", b"?")]) == []


def test_of_many_dead_letters_ten_are_named_and_cut() -> None:
    sent = [Sent(b"x" * 5000, f"m{number}", NOON_S, None) for number in range(30)]
    violations = Story().check(sent=sent, dead=[])
    assert len(violations) == 11
    assert "and 20 more" in violations[-1].text
    assert max(len(violation.text) for violation in violations) < 120


def _failed() -> Story:
    story = Story()
    story.completes()
    story.upgrades[0]["state"] = "failed"
    story.results.clear()
    story.writes.pop()
    story.result(Status.FAILED)
    return story
