"""What upgrades cost and how long they take: computed from what was measured."""

from collections.abc import Mapping

import pytest

from bench.capacity import calls_of, polls_of, tables, transactions_of
from bench.figures import Figure, Outcome, Row
from bench.provenance import Provenance
from bench.results import Result

MEASURED: Mapping[int, Mapping[str, float]] = {
    2: {"16 at once: creates/s": 50},
    5: {"100,000 in flight, 1,000 due: reading": 12},
    6: {"16 at once: status calls/s": 80},
}


def _result(number: int, figures: Mapping[str, float]) -> Result:
    rows = tuple(Row(name, None, None, Figure((value,)), "", None) for name, value in figures.items())
    source = Provenance(command="", date="", revision="", machine="", versions="")
    return Result(Outcome(number, "", rows, (), ()), source, runs=3, scale=1)


@pytest.mark.parametrize(
    ("lasting_s", "polls"),
    [(0, 0), (74, 1), (75, 1), (76, 2), (195, 2), (196, 3)],  # after 75 s, and 120 s after that
)
def test_an_upgrade_is_asked_for_until_it_has_ended(lasting_s: float, polls: int) -> None:
    assert polls_of(lasting_s) == polls


def test_a_day_long_upgrade_is_asked_for_twice_an_hour() -> None:
    assert polls_of(48 * 3600) - polls_of(24 * 3600) == pytest.approx(24 * 3600 / (0.75 * 1800 + 30), abs=1)


def test_each_upgrade_costs_a_create_call_and_its_status_calls() -> None:
    polls = polls_of(3600)
    assert calls_of(1000) == 1000 * (1 + polls)
    assert transactions_of(1000) == 1000 * (5 + polls)


def test_the_tables_say_what_the_measurements_come_to() -> None:
    found = dict(tables([_result(number, figures) for number, figures in MEASURED.items()]))
    assert len(found) == 4
    assert "| 10,000 | 80,000 | 120,000 | 200 | 875 |" in found["What upgrades cost where nothing throttles"]
    assert "| 100,000 | 12 s | 5 % |" in found["What rows in flight cost a tick"]
    assert "| 1,000 | 2.22 h | 13.3 min | 1.33 min |" in found["How long they take at a limit of the API"]
