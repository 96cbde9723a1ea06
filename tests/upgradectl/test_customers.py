"""Looking up customers: one by one, or all at once where there are many."""

from collections.abc import Iterable

import pytest

from shared.models import InFlightUpgrade, UpgradeResult
from tests.fakes import InMemoryStore
from tests.unit.rows import in_flight, result
from upgradectl import customers


class Tables(InMemoryStore):
    """Counts what is asked for."""

    def __init__(self, rows: Iterable[InFlightUpgrade], results: Iterable[UpgradeResult]) -> None:
        super().__init__()
        self.asked = 0
        for row in rows:
            self.insert_in_flight(row)
        for one in results:
            self.insert_result(one)

    def list_in_flight(self) -> Iterable[InFlightUpgrade]:
        self.asked += 1
        return super().list_in_flight()

    def list_all_results(self, *, line_items: bool = True) -> list[UpgradeResult]:
        self.asked += 1
        assert not line_items
        return sorted(self.results.values(), key=lambda one: (one.customer_id, one.request_id))

    def list_customer_in_flight(self, customer_id: str) -> list[InFlightUpgrade]:
        self.asked += 1
        return [row for row in self.in_flight.values() if row.customer_id == customer_id]

    def list_customer_results(self, customer_id: str) -> list[UpgradeResult]:
        self.asked += 1
        return [one for one in self.results.values() if one.customer_id == customer_id]


@pytest.mark.parametrize(("count", "asked"), [(100, 200), (101, 2), (20_000, 2)])
def test_for_many_customers_everything_is_read_once(count: int, asked: int) -> None:
    wanted = [f"c{number}" for number in range(count)]
    tables = Tables(
        [in_flight(customer_id="c1"), in_flight(customer_id="other")],
        [result(customer_id=one, request_id=request) for one in ("c2", "other", "c0") for request in ("r1", "r2")],
    )
    found = customers.look_up(tables, wanted)
    assert tables.asked == asked
    assert list(found) == wanted
    assert [bool(found[one]) for one in wanted[:5]] == [True, True, True, False, False]
    assert (len(found["c0"][0].results), len(found["c2"][0].results)) == (2, 2)
    assert found["c1"][0].row
