"""Figures, and the rows that compare them."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.comparison import NONE, Comparison, Goal, at_least, at_most, every
from bench.contenders import APP, TEXTBOOK, Contender, alternate
from bench.cpu import cores_text, difference, seconds_in
from bench.figures import Figure, Options
from bench.figures import number as written


def test_a_figure_is_the_median_of_its_runs_with_the_spread() -> None:
    figure = Figure((12.81, 11.9, 12.3), "ms")
    assert (figure.median, round(figure.spread, 2)) == (12.3, 0.91)
    assert figure.text == "12.3 ms (11.9 to 12.8)"


def test_a_single_run_has_no_spread_to_show() -> None:
    assert Figure((0.5,), "x").text == "0.50x"


def test_a_figure_without_a_run_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one run"):
        Figure.of([])


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (2000, "2,000"), (1234.56, "1,235"), (98.76, "98.8"), (1.234, "1.23"), (0.01234, "0.0123")],
)
def test_a_number_has_three_digits_that_count(value: float, text: str) -> None:
    assert written(value) == text


def test_a_scale_shrinks_a_load_but_leaves_something_of_it(tmp_path: Path) -> None:
    options = Options(folder=tmp_path, scale=0.05)
    assert [options.scaled(count) for count in (2000, 3)] == [100, 1]


def test_runs_of_the_contenders_alternate() -> None:
    order: list[tuple[str, int]] = []

    def measure(who: Contender, run: int) -> int:
        order.append((who.name, run))
        return run

    measured = alternate(2, measure)
    assert order == [("app", 1), ("textbook", 1), ("app", 2), ("textbook", 2)]
    assert measured == {APP: [1, 2], TEXTBOOK: [1, 2]}


def _is_met(app: Sequence[float | None], goal: Goal) -> bool | None:
    runs: dict[Contender, Sequence[float | None]] = {APP: app, TEXTBOOK: [1.0, None]}
    return Comparison(runs).row("what", None, lambda run: run, goal=goal).met


def test_a_row_holds_the_figures_of_both() -> None:
    runs: dict[Contender, Sequence[float | None]] = {APP: [97.0, 96.0, 98.0], TEXTBOOK: [None, None]}
    row = Comparison(runs, "subject").row("what", "100%", lambda run: run, unit="%", goal=at_least(95))
    assert (row.measured, row.limit, row.goal, row.met) == ("subject: what", "100%", ">= 95 %", True)
    assert (row.textbook, row.app) == ("none", Figure((97.0, 96.0, 98.0), "%"))


def test_a_share_is_judged_by_its_median() -> None:
    assert [_is_met(app, at_least(95)) for app in ([94.0, 95, 96], [94.0, 94.9, 99])] == [True, False]
    assert [_is_met(app, at_most(5)) for app in ([4.0, 5, 9], [4.0, 5.1, 5.2])] == [True, False]


def test_what_must_never_happen_is_judged_by_every_run() -> None:
    assert [_is_met(app, NONE) for app in ([0.0, 0, 0], [0.0, 0, 1])] == [True, False]
    assert [_is_met(app, every(3)) for app in ([3.0, 3, 3], [3.0, 3, 2], [3.0, 3, 4])] == [True, False, False]


def test_a_goal_is_missed_where_a_run_of_the_app_has_no_figure() -> None:
    assert _is_met([96.0, None, 97.0], at_least(95)) is False


def test_cpu_time_is_read_behind_the_program_s_name_with_that_of_ended_children() -> None:
    stat = "17 (a) b (c) S 1 17 17 0 -1 4194560 100 200 3 4 150 50 30 20 20 0 9 0 1234 5678"
    assert seconds_in(stat) == pytest.approx(2.5)


def test_a_process_that_was_replaced_counts_no_less_than_nothing() -> None:
    used = difference({"a": 5.0, "b": 1.0}, {"a": 2.0, "b": 1.5, "c": 0.5})
    assert dict(used) == {"a": 0.0, "b": 0.5, "c": 0.5}


def test_processes_of_one_function_count_together_and_idle_ones_are_left_out() -> None:
    text = cores_text({"azurite": 3.0, "CreateUpgrade-0": 2.0, "CreateUpgrade-1": 4.0, "identity": 0.01}, 10)
    assert text.startswith("CreateUpgrade 0.60, azurite 0.30 of ")
