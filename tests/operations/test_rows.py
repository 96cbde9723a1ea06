"""The rows that queries run over are those that the local host writes and that docs/telemetry.md describes."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from local.component import REPOSITORY
from shared.errors import InvalidSettings
from shared.settings import Settings
from tests.fakes import FakeClock
from tests.operations.invocations import invocations
from tests.operations.queries import APP_TRACES, FOLDER, traces

PAGE = (REPOSITORY / "docs" / "telemetry.md").read_text()
CUT_AT = 32_768


def test_a_row_has_the_columns_that_a_query_may_use(tmp_path: Path) -> None:
    with invocations(tmp_path / "lines.jsonl", FakeClock()) as invoked:
        assert invoked.invoke("PollUpgrade", lambda: None)
    (row,) = map(json.loads, (tmp_path / "lines.jsonl").read_text().splitlines())
    assert list(row) == list(APP_TRACES)


def test_the_page_describes_these_columns_with_their_types() -> None:
    described: dict[str, str] = {}
    for names, kind in re.findall(r"^\| (`[A-Z_].+?) \| (\w+) \| .+ \|$", PAGE, re.MULTILINE):
        described |= dict.fromkeys(re.findall(r"`(\w+)`", names), kind)
    assert described == APP_TRACES


def test_the_page_shows_the_beginning_that_queries_have() -> None:
    (example,) = re.findall(r"```kql\n(.+?)\n```", PAGE, re.DOTALL)
    beginning = "\n".join(example.splitlines()[:2]) + "\n| where event "
    assert all(beginning in path.read_text() for path in FOLDER.rglob("*.kql"))


def test_a_function_that_fails_leaves_a_row_that_says_so(tmp_path: Path) -> None:
    clock = FakeClock()
    with invocations(tmp_path / "lines.jsonl", clock) as invoked:
        assert not invoked.invoke("PollUpgrade", [].pop)
    traces().load(tmp_path / "lines.jsonl")
    query = 'AppTraces | where SeverityLevel == 3 and Message has "Failed" | project tostring(Properties.Category)'
    (row,) = traces().run(query, until=clock.now(), window=timedelta(minutes=1))
    assert list(row.values()) == ["Function.PollUpgrade"]


def test_the_longest_event_is_far_from_being_cut() -> None:
    names = {name.upper(): "?" * 100_000 for name in Settings.__dataclass_fields__}
    with pytest.raises(InvalidSettings) as found:
        Settings.from_env(names)
    assert len(found.value.problems) > 20
    assert len(json.dumps(found.value.problems)) < CUT_AT / 5
