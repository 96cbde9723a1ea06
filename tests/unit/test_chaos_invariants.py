"""Invariants 4 to 6 of the campaign, the history of a request, and all of them over a large record."""

import base64
import json
import time
from dataclasses import replace

import pytest

from shared.models import Position, State, Status
from tests.chaos.invariants import check, history
from tests.chaos.log_invariant import check as check_logs
from tests.chaos.memory import FEWEST_SAMPLES, MAX_RSS_MB, MAX_SLOPE_MB_PER_MIN, WARM_UP_S, slope
from tests.chaos.record import MemorySample, Pause
from tests.unit import rows
from tests.unit.chaos_records import CANARY, CREATOR, KEY, LATER, NOON_S, OPERATOR, POLLER, Story, expect, instant

SECRET = 'sh"h/secret+value'
REFRESH_TOKEN = "1." + "Ab_-" * 20
WEB_TOKEN = f"eyJ{base64.urlsafe_b64encode(b'{alg: none, typ: JWT}').decode()}.eyJhdWQiOiJ4In0xyz.c2ln"


def _line(text: str) -> str:
    """As the host writes a line of the app's, which is itself an event with JSON."""
    return json.dumps({"time": "2026-03-01T12:00:00.000Z", "message": "call.failed " + json.dumps({"detail": text})})


# 4: the log


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (SECRET, "secret"),
        (f"key={SECRET.replace('"', '%22').replace('/', '%2F').replace('+', '%2B')}", "secret"),
        (CANARY, "message body"),
        (WEB_TOKEN, "json web token"),
        (REFRESH_TOKEN, "refresh token"),
        ("Authorization: Bearer abcdefghijklmnopqrstuvwxyz", "authorization header"),
    ],
)
def test_what_must_not_be_in_a_log_line_is_reported_without_being_quoted(text: str, kind: str) -> None:
    lines = [_line("nothing to see"), _line(text), text]
    found = Story().check(log_lines=lines, secrets=frozenset({SECRET, "short"}))
    assert [violation.text.split(":")[0] for violation in found] == [
        f"log line {number} holds a {kind}" for number in (2, 3)
    ]
    assert not any(text in violation.text or json.dumps(text)[1:-1] in violation.text for violation in found)
    assert "***" in found[1].text


def test_a_line_is_cut_after_it_was_masked() -> None:
    (found,) = Story().check(log_lines=["x" * 70 + REFRESH_TOKEN + " " + "y" * 200])
    assert found.text.endswith("x*** yyyyyy")


@pytest.mark.parametrize("text", ["1.25", "short", "eyJ", "Bearer none", "1.2.3-4_5", "ratio 1.0000000000000000000001"])
def test_an_innocent_line_is_not_reported(text: str) -> None:
    assert Story().check(log_lines=[_line(text)], secrets=frozenset({"short"}), canary="") == []


def test_of_many_lines_ten_are_named() -> None:
    assert len(Story().check(log_lines=[CANARY] * 50)) == 11


# 5: the end


def test_what_is_left_in_the_end_is_reported() -> None:
    story = Story()
    expect(story.check(drained=False), 5, "not everything had ended")
    expect(story.check(waiting=True), 5, "messages are still waiting")
    expect(story.check(gate=Position.RECOVERING), 5, "the gate is recovering")
    expect(story.check(in_flight=[rows.in_flight()]), 5, "a row is left in flight: Accepted", KEY)


def test_a_row_that_is_gone_without_having_been_deleted_is_reported() -> None:
    story = Story()
    story.claim(1)
    expect(story.check(in_flight=[]), 5, "was never deleted, and its row is gone")


def test_a_row_that_is_left_is_reported_once() -> None:
    story = Story()
    story.claim(1)
    expect(story.check(in_flight=[rows.in_flight()]), 5, "a row is left in flight", KEY)


def test_a_row_that_was_claimed_again_has_to_be_deleted_again() -> None:
    story = Story()
    story.claim(1)
    story.row(2, POLLER, "delete")
    story.claim(3, State.DEFERRED)
    expect(story.check(in_flight=[]), 5, "was never deleted")
    story.row(4, POLLER, "delete")
    assert story.check(in_flight=[]) == []


def test_a_pause_lasts_until_it_is_resumed() -> None:
    story = Story()
    story.pauses.append(Pause(NOON_S + 10, NOON_S + 20, Position.PAUSED))
    story.gate(9.9, Position.CLOSED)
    story.gate(10, Position.PAUSED, writer=OPERATOR)
    story.gate(12, Position.PAUSED, untilAt=instant(15))
    story.gate(19.9, Position.RECOVERING, writer=OPERATOR)
    story.gate(21, Position.OPEN)
    assert story.check() == []
    story.gate(19, Position.RECOVERING)
    expect(story.check(), 5, "PollUpgrade-12 moved a paused gate to recovering")


def test_a_pause_that_was_found_ended_is_reported() -> None:
    story = Story()
    story.pauses.append(Pause(NOON_S + 10, NOON_S + 20, Position.OPEN))
    expect(story.check(), 5, "a pause ended as open")


# 6: memory


def _samples(process: str, *, mb: float, mb_per_min: float, count: int = FEWEST_SAMPLES) -> list[MemorySample]:
    ages = [WARM_UP_S + 1 + number for number in range(count)]
    return [MemorySample(process, age_s, mb + mb_per_min * age_s / 60) for age_s in ages]


def test_a_process_that_is_too_large_is_reported() -> None:
    sample = MemorySample(CREATOR, 1, MAX_RSS_MB + 1)
    expect(Story().check(memory=[sample]), 6, "301 MB")
    assert Story().check(memory=[replace(sample, rss_mb=MAX_RSS_MB)]) == []


def test_memory_that_grows_is_reported_when_there_is_enough_to_tell() -> None:
    growing = _samples(CREATOR, mb=100, mb_per_min=MAX_SLOPE_MB_PER_MIN + 5)
    expect(Story().check(memory=growing), 6, "grew by 25.0 MB a minute")
    assert Story().check(memory=growing[1:]) == []
    assert Story().check(memory=_samples(CREATOR, mb=100, mb_per_min=MAX_SLOPE_MB_PER_MIN - 5)) == []


def test_the_slope_is_within_processes_and_after_the_warm_up() -> None:
    old = _samples("PollUpgrade-1", mb=50, mb_per_min=6, count=120)
    young = _samples("PollUpgrade-2", mb=200, mb_per_min=6, count=20)
    warming_up = [MemorySample("PollUpgrade-2", age_s, 5 * age_s) for age_s in range(int(WARM_UP_S))]
    found = slope([*old, *young, *warming_up])
    assert found.slope_mb_per_min == pytest.approx(6)
    assert (found.samples, found.largest_mb) == (140, max(sample.rss_mb for sample in young))


def test_no_samples_have_no_slope() -> None:
    assert slope([]).slope_mb_per_min == 0
    assert slope(_samples(CREATOR, mb=100, mb_per_min=5, count=1)).slope_mb_per_min == 0


# the history


def test_the_history_of_a_request_is_told_in_the_order_of_time() -> None:
    story = Story()
    story.completes()
    story.gate(3, Position.CLOSED, reason="throttled", untilAt=instant(4))
    story.gate(300, Position.OPEN)
    story.row(11, POLLER, "delete")
    story.message(LATER, 2)
    story.claim(12)
    story.writes[-1] = replace(story.writes[-1], fields={**story.writes[-1].fields, "requestId": "r2"})
    story.row(13, POLLER, "delete")
    assert history(story.record(in_flight=[]), KEY) == [
        "    0.000  message m0 sent",
        "    1.000  CreateUpgrade-11 insert row state=Accepted outcomeUnknown=True",
        "    1.500  create call 1 a: 202 after 0.100 s, created u1",
        "    2.000  CreateUpgrade-11 update row state=InProgress outcomeUnknown=False upgradeId=u1",
        "    3.000  PollUpgrade-12 update gate position=closed reason=throttled untilAt=12:00:04.000000Z",
        "    5.000  status call 2 id-1: 200 after 0.100 s, u1",
        "   10.100  PollUpgrade-12 insert result status=Completed",
        "   11.000  PollUpgrade-12 delete row",
    ]


def test_a_history_tells_what_was_not_answered_and_what_was_waited_for() -> None:
    story = Story()
    story.message(LATER, 1, follows=KEY)
    story.create(2, key=LATER, http="cut", seen=False, endedS=None)
    story.create(3, key=LATER, http=403, code=900130)
    assert history(story.record(), LATER) == [
        "    0.000  message m0 sent after the result of r1",
        "    1.000  create call 1 a: no answer, not seen",
        "    2.000  create call 2 a: 403 900130 after 0.100 s",
    ]


def test_nothing_is_known_of_a_request_that_never_was() -> None:
    assert history(Story().record(), KEY) == []


# all of them


def test_a_large_record_is_checked_in_seconds() -> None:
    """Half a campaign: a loop within a loop over its calls or writes would take minutes."""
    story = Story()
    for number in range(1500):
        customer_id = f"00000000-0000-4000-8000-{number:012d}"
        key, at_s = (customer_id, "azure", "r1"), number / 15
        story.message(key, at_s)
        for attempt in range(6):
            story.take(at_s + 1 + attempt, key=key)
            story.create(at_s + 1.1 + attempt, ms=f"{number}-{attempt}", key=key, http=429)
        story.create(at_s + 9, ms=f"{number}", key=key, http=403, code=900108)
        story.result(Status.REJECTED, at_s + 10, key=key, customer_id=customer_id, error_code="900108")
    for number in range(200):
        story.gate(number / 2, (Position.CLOSED, Position.OPEN)[number % 2])
        story.pauses.append(Pause(NOON_S + 500 + number, NOON_S + 500.5 + number, Position.PAUSED))
    secrets = frozenset(f"1.{number:04d}{'Ab_-' * 20}" for number in range(200))
    record = story.record(log_lines=[_line(f"{number} of 1.11 1.12 1.13") for number in range(20_000)], secrets=secrets)
    started = time.process_time()
    assert check(record) == []
    assert time.process_time() - started < 10


def test_the_search_of_the_log_finds_every_one_of_many_secrets() -> None:
    secrets = [f"client-secret-{number}-{'f' * number}" for number in range(60)]
    story = Story().record(log_lines=[_line(secret) for secret in secrets], secrets=frozenset(secrets))
    assert check_logs(story)[-1].text == "and 50 more of this kind"
