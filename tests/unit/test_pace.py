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
    pace.started()
    return 1 / pace.wait_s()


def _started_within(pace: Pace, clock: FakeClock, duration_s: float) -> int:
    """How many calls start in that time where each starts as soon as it may."""
    ends = clock.monotonic() + duration_s
    calls = 0
    while clock.monotonic() + pace.wait_s() < ends:
        clock.advance(pace.wait_s())
        pace.started()
        calls += 1
    return calls


def test_a_no_after_a_few_calls_teaches_no_rate() -> None:
    """It may be a single customer's limit: a rate of a few calls in some seconds would hold back all the others."""
    clock = FakeClock()
    pace = _throttled_after(clock, calls=9, duration_s=5)
    pace.started()
    assert pace.wait_s() == 0
    _come_back(pace, 10)
    clock.advance(1)
    pace.recover("the third", throttled=True)
    assert _rate(pace) == pytest.approx(9.8, rel=0.01)


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
    """A customer's own limit said no after two calls, and all that follow are let through."""
    clock = FakeClock()
    pace = _throttled_after(clock, calls=2, duration_s=2)
    began = clock.monotonic()
    for _ in range(200):
        clock.advance(max(0.01, pace.wait_s()))  # a hundred calls a second are all that there is time for
        pace.started()
        pace.came_back()
    assert clock.monotonic() - began < 60


def test_a_rate_that_holds_nobody_back_does_not_grow() -> None:
    """Where the calls take longer than the rate asks for: else it would grow without bound, and mean nothing."""
    clock = FakeClock()
    pace = _throttled_after(clock, calls=100, duration_s=10)
    for _ in range(1000):
        clock.advance(1)
        pace.started()
        pace.came_back()
    assert pace._rate is not None
    assert pace._rate < 11


def test_near_the_limit_the_rate_grows_slowly() -> None:
    clock = FakeClock()
    pace = _throttled_after(clock, calls=100, duration_s=10)
    rate = _rate(pace)
    for _ in range(100):
        pace.started()
        pace.came_back()
    assert pace._rate is not None
    assert pace._rate < 1.2 * rate


def test_a_learnt_rate_spreads_the_calls() -> None:
    clock = FakeClock()
    pace = _throttled_after(clock, calls=100, duration_s=50)
    assert _started_within(pace, clock, 10) == pytest.approx(20, abs=2)


def test_an_idle_minute_gives_no_burst() -> None:
    clock = FakeClock()
    pace = _throttled_after(clock, calls=100, duration_s=50)
    clock.advance(60)  # in which 120 calls would have started
    assert _started_within(pace, clock, 0.1) < 30


def test_a_learnt_rate_grows_until_the_limit_says_no_again() -> None:
    clock = FakeClock()
    pace = _throttled_after(clock, calls=100, duration_s=50)
    at_first = _started_within(pace, clock, 30)
    assert _started_within(pace, clock, 30) > at_first


def test_a_probe_that_is_throttled_again_lowers_the_rate() -> None:
    clock = FakeClock()
    pace = _throttled_after(clock, calls=100, duration_s=50)
    before = _rate(pace)
    clock.advance(57)
    pace.recover("the third", throttled=True)
    assert 0.4 * before < _rate(pace) < before


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
