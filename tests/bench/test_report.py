"""results.json and RESULTS.md."""

from dataclasses import replace
from pathlib import Path

from bench import results
from bench.__main__ import find_scenarios
from bench.figures import Curve, Figure, Outcome, Plot, Row
from bench.provenance import Provenance, provenance
from bench.report import markdown, plot_file_name, terminal_table
from bench.results import Result
from local.component import REPOSITORY

PLOT = Plot("Calls, 10 calls/s", "s", "calls", (Curve("app", ((0.0, 1.0), (2.5, 20.0))),))
OUTCOME = Outcome(
    number=3,
    title="Cost",
    rows=(
        Row("CPU | upgrade", None, Figure((60.0, 61.5, 59.0), "ms"), Figure((5.0,), "ms"), "<= 1/5", met=True),
        Row("calls", "0", "none", Figure((2.0, 2.0, 3.0)), "0", met=False),
    ),
    notes=("On loopback.",),
    plots=(PLOT,),
)
SOURCE = Provenance("2030-01-02 03:04 UTC", "2 x CPU", "Python 3.13.0", "abc1234567", "python -m bench --only 3")
RESULT = Result(OUTCOME, SOURCE, runs=3, scale=1.0)


def test_results_come_back_as_they_were_written(tmp_path: Path) -> None:
    results.write(tmp_path / "results.json", [RESULT])
    assert results.read(tmp_path / "results.json") == [RESULT]
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]


def test_there_are_no_results_before_the_first_run(tmp_path: Path) -> None:
    assert results.read(tmp_path / "results.json") == []


def test_a_new_result_takes_the_place_of_its_number_and_the_others_stay() -> None:
    one, other = (replace(RESULT, outcome=replace(OUTCOME, number=number)) for number in (1, 4))
    new = replace(RESULT, runs=5)
    assert results.merged([one, RESULT, other], new) == [one, new, other]
    assert results.merged([other], one) == [one, other]


def test_the_page_has_the_table_the_notes_the_plots_and_the_conditions() -> None:
    page = markdown([RESULT]).rstrip().splitlines()
    assert "## 3. Cost" in page
    assert r"| CPU \| upgrade |  | 60 ms (59 to 61.5) | 5 ms | <= 1/5 | yes |" in page
    assert "| calls | 0 | none | 2 (2 to 3) | 0 | no |" in page
    assert "- On loopback." in page
    assert "![Calls, 10 calls/s](plots/3-calls-10-calls-s.svg)" in page
    assert page[-2] == "`python -m bench --only 3` (3 runs), 2030-01-02 03:04 UTC, revision abc1234567"
    assert page[-1] == "on 2 x CPU; Python 3.13.0."


def test_the_page_says_what_was_measured_with_a_smaller_load() -> None:
    assert "(1 run, **at a scale of 0.05: no result**)" in markdown([replace(RESULT, runs=1, scale=0.05)])


def test_the_terminal_shows_the_same_cells() -> None:
    table = terminal_table(OUTCOME)
    assert [list(column.cells) for column in table.columns][2:4] == [
        ["60 ms (59 to 61.5)", "none"],
        ["5 ms", "2 (2 to 3)"],
    ]
    assert table.caption == "On loopback."


def test_a_plot_s_file_name_is_one_on_every_system() -> None:
    assert plot_file_name(1, replace(PLOT, title="Ticks: 1k / 10k rows?")) == "1-ticks-1k-10k-rows.svg"


def test_the_conditions_name_no_folder_of_this_machine() -> None:
    found = provenance("python -m bench")
    assert found.machine
    assert found.versions.startswith("Python 3.13")
    assert str(REPOSITORY) not in str(found)


def test_every_scenario_has_a_number_of_its_own() -> None:
    known = find_scenarios()
    assert {1, 4} <= set(known)
    modules = [file for file in (REPOSITORY / "bench" / "scenarios").glob("*.py") if "\nNUMBER = " in file.read_text()]
    assert len(modules) == len(known)
    assert all(scenario.TITLE for scenario in known.values())
