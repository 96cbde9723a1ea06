"""Delays: their length, and their spread."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import backoff

DELAYS = st.floats(0.001, 1e6)
RANDOM = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("before", "delay_s"), [(0, 30), (1, 60), (2, 120), (6, 1920), (7, 3600), (8, 3600), (10_000_000, 3600)]
)
def test_a_delay_doubles_up_to_the_longest(before: int, delay_s: float) -> None:
    assert backoff.doubling_s(30, 3600, before) == delay_s


@given(DELAYS, DELAYS, st.integers(0, 10**9))
def test_a_delay_never_exceeds_the_longest_nor_shrinks(first_s: float, longest_s: float, before: int) -> None:
    delay_s = backoff.doubling_s(first_s, longest_s, before)
    assert min(first_s, longest_s) <= delay_s <= longest_s
    assert delay_s <= backoff.doubling_s(first_s, longest_s, before + 1)


@given(DELAYS, RANDOM)
def test_a_spread_delay_is_at_least_half_and_never_longer(delay_s: float, random: float) -> None:
    assert delay_s / 2 <= backoff.spread_s(delay_s, random) <= delay_s


def test_delays_are_spread_over_the_whole_half() -> None:
    assert backoff.spread_s(10, 0) == 5
    assert backoff.spread_s(10, 0.5) == 7.5


@given(DELAYS, RANDOM)
def test_a_delay_that_was_asked_for_is_never_cut_short(delay_s: float, random: float) -> None:
    assert delay_s <= backoff.later_s(delay_s, random) <= delay_s * 1.1


def test_those_who_were_told_the_same_delay_do_not_come_back_together() -> None:
    assert backoff.later_s(10, 0) == 10
    assert backoff.later_s(10, 0.5) == 10.5
