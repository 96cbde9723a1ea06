"""Scenario 6: what is computed of the status calls."""

import pytest

from bench.figures import Figure
from bench.scenarios.status_calls import Polling, outcome, polls_per_s
from tests.bench.ledger import call


def test_the_rate_of_status_calls_counts_each_due_row_once() -> None:
    first_tick = [call("status", 10 + 0.2 * turn, 10.2 + 0.2 * turn) for turn in range(10)]
    next_tick = [call("status", 60, 60.2)]
    assert polls_per_s([call("create", 1, 2), *first_tick, *next_tick], rows=10) == pytest.approx(5)


@pytest.mark.parametrize(("per_s", "met"), [(72.0, True), (71.9, False)])
def test_the_goal_of_status_calls_is_a_share_of_parallelism_by_latency(per_s: float, *, met: bool) -> None:
    found = outcome({16: [Polling(per_s, "")], 32: [Polling(120, "")]}, [Polling(4, "")])
    rows = {row.measured: row for row in found.rows}
    assert rows["16 at once: share of the limit"].met is met
    assert rows["16 at once: share of the limit"].textbook == Figure((5.0,), "%")
    assert rows["32 at once: status calls/s"].limit == "160"
    assert rows["32 at once: share of the limit"].app == Figure((75.0,), "%")
