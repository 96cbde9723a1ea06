"""How many calls at once, and how many a second: one finds out, then more and more, just below a limit that was met."""

import pytest

from shared.pace import Pace
from tests.fakes import FakeClock


def _recovering(clock: FakeClock | None = None, *, ceiling: int = 16, throttled: bool = False) -> Pace:
    pace = Pace(ceiling, clock or FakeClock())
    pace.recover("the first", throttled=throttled)
    return pace


def _come_back(pace: Pace, calls: int) -> None:
    for _ in range(calls):
        pace.came_back()


def _rounds(pace: Pace, count: int) -> list[int]:
    """The parallelism after each of so many rounds, in which as many calls come back as there were at once."""
    levels = []
    for _ in range(count):
        _come_back(pace, pace.parallelism)
        levels.append(pace.parallelism)
    return levels


def _throttled_after(clock: FakeClock, *, calls: int, duration_s: float) -> Pace:
    """From one recovery from throttling to the next so many calls were let through in so many seconds."""
    pace = _recovering(clock, throttled=True)
    _come_back(pace, calls)
    clock.advance(duration_s)
    pace.recover("the second", throttled=True)
    return pace


def _rate(pace: Pace) -> float:
    """Calls a second, right after it was learnt."""
    assert pace._base
    return pace._base


def _rate_now(pace: Pace) -> float:
    assert pace._rate
    return pace._rate


def _started_within(pace: Pace, clock: FakeClock, duration_s: float) -> int:
    """How many calls start in that time where each starts as soon as it may."""
    ends = clock.monotonic() + duration_s
    calls = 0
    while clock.monotonic() + pace.wait_s() < ends:
        clock.advance(pace.wait_s())
        pace.started()
        calls += 1
    return calls


def _again_and_again(clock: FakeClock, *, times: int, calls: int, each_s: float) -> Pace:
    pace = _recovering(clock, throttled=True)
    for number in range(times):
        _come_back(pace, calls)
        clock.advance(each_s)
        pace.recover(f"again {number}", throttled=True)
    return pace


def test_a_no_after_a_few_calls_teaches_no_rate() -> None:
    """It may be a single customer's limit: a rate of a few calls in some seconds would hold back all the others."""
    pace = _again_and_again(FakeClock(), times=5, calls=9, each_s=5)
    pace.started()
    assert pace.wait_s() == 0


def test_a_no_after_a_few_calls_again_and_again_teaches_a_low_rate() -> None:
    pace = _again_and_again(FakeClock(), times=50, calls=1, each_s=60)
    assert _rate(pace) == pytest.approx(0.98 / 60)


def test_without_trouble_the_ceiling_holds_from_the_start() -> None:
    assert Pace(16, FakeClock()).parallelism == 16


def test_a_recovery_begins_with_a_single_call() -> None:
    assert _recovering().parallelism == 1


def test_the_probe_that_comes_back_makes_room_for_a_second_call() -> None:
    pace = _recovering()
    pace.came_back()
    assert pace.parallelism == 2


def test_a_round_adds_one_at_most() -> None:
    pace = _recovering()
    before = pace.parallelism
    for level in _rounds(pace, 12):
        assert before <= level <= before + 1
        before = level


def test_twice_as_many_rounds_as_the_ceiling_reach_it() -> None:
    assert _rounds(_recovering(ceiling=8), 16)[-1] == 8


@pytest.mark.parametrize("ceiling", [1, 4])
def test_the_ceiling_is_never_exceeded(ceiling: int) -> None:
    assert max(_rounds(_recovering(ceiling=ceiling), 40)) == ceiling


def test_the_same_recovery_seen_again_does_not_begin_again() -> None:
    pace = _recovering()
    pace.came_back()
    pace.recover("the first", throttled=False)
    assert pace.parallelism == 2


@pytest.mark.parametrize("throttled", [True, False])
def test_another_recovery_begins_with_a_single_call_again(throttled: bool) -> None:
    pace = _recovering()
    _rounds(pace, 5)
    pace.recover("the second", throttled=throttled)
    assert pace.parallelism == 1


def test_an_open_gate_has_the_ceiling_at_once_and_keeps_it() -> None:
    pace = _recovering(ceiling=3)
    pace.rest()
    assert pace.parallelism == 3
    assert _rounds(pace, 3) == [3, 3, 3]


def test_where_no_limit_was_met_no_call_waits_for_the_one_before() -> None:
    clock = FakeClock()
    pace = _recovering(clock)
    for _ in range(100):
        assert pace.wait_s() == 0
        pace.started()


def test_a_single_stretch_of_throttling_teaches_no_rate() -> None:
    pace = _recovering(throttled=True)
    pace.started()
    assert pace.wait_s() == 0


def test_between_two_stretches_the_rate_is_just_below_what_was_let_through() -> None:
    pace = _throttled_after(FakeClock(), calls=100, duration_s=50)
    assert 1.8 < _rate(pace) < 2


def test_trouble_of_another_kind_teaches_no_rate() -> None:
    clock = FakeClock()
    pace = _recovering(clock)
    _come_back(pace, 100)
    clock.advance(50)
    pace.recover("the second", throttled=False)
    pace.started()
    assert pace.wait_s() == 0


def test_an_outage_between_two_stretches_of_throttling_does_not_lower_the_rate() -> None:
    """Without this a rate of two calls a minute was learnt from an outage of a minute."""
    clock = FakeClock()
    pace = _recovering(clock, throttled=True)
    _come_back(pace, 2)
    clock.advance(60)
    pace.recover("an outage is over", throttled=False)
    _come_back(pace, 100)
    clock.advance(10)
    pace.recover("the third", throttled=True)
    assert 9 < _rate(pace) < 10


def test_a_rate_far_below_the_limit_grows_within_a_minute() -> None:
    """A customer's own limit said no after ten calls, and all that follow are let through."""
    clock = FakeClock()
    pace = _throttled_after(clock, calls=10, duration_s=10)
    assert _started_within(pace, clock, 60) > 200


def test_a_rate_that_holds_nobody_back_does_not_grow() -> None:
    """Where the calls take longer than the rate asks for: else it would grow without bound, and mean nothing."""
    clock = FakeClock()
    pace = _throttled_after(clock, calls=100, duration_s=10)
    for _ in range(1000):
        clock.advance(1)
        pace.started()
        pace.came_back()
    assert _rate_now(pace) < 11


def _near_a_limit(clock: FakeClock, per_s: float = 10) -> Pace:
    """A rate a little above the limit was refused, after a minute."""
    pace = _throttled_after(clock, calls=100, duration_s=100 / per_s)
    pace._rate = pace._base = 1.05 * per_s
    _come_back(pace, int(60 * per_s))
    clock.advance(60)
    pace.recover("the third", throttled=True)
    return pace


def test_near_the_limit_the_rate_stays_for_long() -> None:
    clock = FakeClock()
    pace = _near_a_limit(clock)
    assert _started_within(pace, clock, 60) == pytest.approx(60 * 10.3, rel=0.02)


def test_near_the_limit_a_wider_one_is_found_within_minutes() -> None:
    clock = FakeClock()
    pace = _near_a_limit(clock)
    _started_within(pace, clock, 240)
    assert _rate_now(pace) > 18


def test_a_rate_far_above_what_is_let_through_falls_to_that_within_some_stretches() -> None:
    """By halves, so to say: a single customer's long wait looks like a low limit, once."""
    clock = FakeClock()
    pace = _throttled_after(clock, calls=100, duration_s=2)
    rates = []
    for number in range(6):
        _come_back(pace, 100)
        clock.advance(10)
        pace.recover(f"again {number}", throttled=True)
        rates.append(_rate(pace))
    assert rates[0] == pytest.approx((10 * 49) ** 0.5)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 11


def test_a_learnt_rate_spreads_the_calls() -> None:
    clock = FakeClock()
    pace = _near_a_limit(clock, per_s=2)
    assert _started_within(pace, clock, 10) == pytest.approx(20, abs=2)


def test_an_idle_minute_gives_no_burst() -> None:
    clock = FakeClock()
    pace = _throttled_after(clock, calls=100, duration_s=50)
    clock.advance(60)  # in which 120 calls would have started
    assert _started_within(pace, clock, 0.1) < 30


def test_a_second_that_was_lost_is_made_up_for_and_no_more() -> None:
    """A look at the table, a new tick: without this two of a hundred calls that a limit allows were not made."""
    clock = FakeClock()
    pace = _throttled_after(clock, calls=100, duration_s=5)
    clock.advance(0.5)
    assert _started_within(pace, clock, 0.001) == pytest.approx(10, abs=1)
    clock.advance(10)
    assert _started_within(pace, clock, 0.001) == pytest.approx(20, abs=2)


def test_a_learnt_rate_grows_until_the_limit_says_no_again() -> None:
    clock = FakeClock()
    pace = _throttled_after(clock, calls=100, duration_s=50)
    at_first = _started_within(pace, clock, 30)
    assert _started_within(pace, clock, 30) > at_first


def test_a_probe_that_is_throttled_again_teaches_nothing() -> None:
    """However long that goes on: nobody is let through at all, and that says nothing of what will be."""
    clock = FakeClock()
    pace = _throttled_after(clock, calls=100, duration_s=50)
    before = _rate(pace)
    for number in range(10):
        clock.advance(57)
        pace.recover(f"again {number}", throttled=True)
    _come_back(pace, 20)
    clock.advance(10)
    pace.recover("the last", throttled=True)
    assert _rate(pace) == pytest.approx(before, rel=0.05)


def test_with_a_known_rate_the_first_call_that_comes_back_gives_the_ceiling() -> None:
    pace = _throttled_after(FakeClock(), calls=100, duration_s=50)
    assert pace.parallelism == 1
    pace.came_back()
    assert pace.parallelism == 16


def test_a_stretch_that_ended_with_an_open_gate_teaches_no_rate() -> None:
    clock = FakeClock()
    pace = _recovering(clock, throttled=True)
    _come_back(pace, 100)
    pace.rest()
    clock.advance(3600)
    pace.recover("the second", throttled=True)
    pace.started()
    assert pace.wait_s() == 0


def test_a_stretch_in_which_there_was_nothing_left_to_start_teaches_no_rate() -> None:
    clock = FakeClock()
    pace = _recovering(clock, throttled=True)
    _come_back(pace, 5)
    pace.ran_dry()
    clock.advance(60)
    pace.recover("the second", throttled=True)
    pace.started()
    assert pace.wait_s() == 0
