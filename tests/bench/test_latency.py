"""Scenario 8: what is computed of the messages' latencies."""

import pytest

from bench.contenders import APP, TEXTBOOK
from bench.figures import Figure
from bench.one_call_app import ONE_CALL
from bench.scenarios.latency import outcome, percentile


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.0, 1)])
def test_a_percentile_is_a_value_that_was_measured(share: float, expected: float) -> None:
    assert percentile([float(value) for value in range(100, 0, -1)], share) == expected


def test_a_percentile_of_few_values_is_the_next_one_above() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2
    assert percentile([7.0], 0.99) == 7


@pytest.mark.parametrize(("app_ms", "met"), [(20.0, True), (20.5, False)])
def test_the_goal_of_latency_is_twice_that_of_one_call(app_ms: float, *, met: bool) -> None:
    found = outcome({APP: [[app_ms, 1.0, 99.0]], TEXTBOOK: [[60.0]], ONE_CALL: [[10.0]]})
    p50, p99, times = found.rows
    assert (p50.limit, p50.app) == (Figure((10.0,), "ms"), Figure((app_ms,), "ms"))
    assert p99.app == Figure((99.0,), "ms")
    assert (times.textbook, times.met) == (Figure((6.0,), "x"), met)


def test_each_run_stands_beside_the_one_call_of_the_same_turn() -> None:
    found = outcome({APP: [[20.0], [80.0]], TEXTBOOK: [[10.0], [40.0]], ONE_CALL: [[10.0], [40.0]]})
    assert found.rows[2].app == Figure((2.0, 2.0), "x")


def test_the_plot_of_latency_shows_how_many_messages_took_no_longer() -> None:
    (plot,) = outcome({APP: [[4.0, 2.0], [1.0, 3.0]], TEXTBOOK: [[9.0]] * 2, ONE_CALL: [[1.0]] * 2}).plots
    (curve,) = [curve for curve in plot.curves if curve.name == "app"]
    assert curve.points == ((1, 25), (2, 50), (3, 75), (4, 100))
