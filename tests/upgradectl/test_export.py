"""Writing results as CSV, JSON Lines and JSON, one by one."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

import pytest

from shared.models import UpgradeResult
from tests.upgradectl.results_support import result
from upgradectl.export import harmless, write_csv, write_json, write_jsonl


@pytest.mark.parametrize("write", [write_csv, write_jsonl, write_json])
def test_each_result_is_written_before_the_next_is_read(write: Callable[..., None]) -> None:
    file = io.StringIO()

    def results() -> Iterator[UpgradeResult]:
        for number in range(50):
            assert file.getvalue().count("customer-") == number
            yield result(customer_id=f"customer-{number}")

    write(results(), file)
    assert file.getvalue().count("customer-") == 50


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\tx", "\rx", "\n=1", "＝1"])  # noqa: RUF001
def test_a_formula_becomes_a_text(text: str) -> None:
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "1", "a=b", "[]", " =1", "2031-05-01"])
def test_any_other_text_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


def test_an_instant_of_another_zone_is_written_as_utc() -> None:
    file = io.StringIO()
    write_jsonl([replace(result(), finished_at=datetime.fromisoformat("2031-05-01T12:00+02:00"))], file)
    assert json.loads(file.getvalue())["finishedAt"] == "2031-05-01T10:00:00Z"


def test_a_line_of_csv_ends_as_everywhere_else() -> None:
    file = io.StringIO(newline="")
    write_csv([result()], file)
    assert file.getvalue().count("\n") == 2
    assert "\r" not in file.getvalue()
