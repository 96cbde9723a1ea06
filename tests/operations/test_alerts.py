"""The queries over the lines that the app wrote: an alert fires when it must, and a healthy installation is silent."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.fakes import FakeClock
from tests.operations import ordinary_day, troubles_inside, troubles_outside
from tests.operations.installation import Installation
from tests.operations.invocations import invocations
from tests.operations.queries import alerts, texts, traces
from tests.operations.story import Tell

STORIES = troubles_outside.STORIES | troubles_inside.STORIES
DAY = timedelta(days=1)


def told(tell: Tell, lines: Path) -> datetime:
    """Writes the lines of a story, which begins after an hour in which all was well; when it ends."""
    clock = FakeClock()
    with pytest.MonkeyPatch.context() as patch, invocations(lines, clock) as invoked:
        here = Installation(clock, invoked, patch)
        here.run(1)
        tell(here)
    return clock.now()


def fired(lines: Path, at: datetime) -> set[str]:
    """The alerts whose rule, evaluated at that instant, finds rows."""
    traces().load(lines)
    return {name for name, window in alerts().items() if traces().run(texts()[name], until=at, window=window)}


@pytest.mark.parametrize("name", STORIES)
def test_a_story_ends_with_the_alerts_that_it_must_and_no_other(name: str, tmp_path: Path) -> None:
    end = told(STORIES[name].tell, tmp_path / "lines.jsonl")
    assert fired(tmp_path / "lines.jsonl", end) == STORIES[name].alerts


@pytest.mark.parametrize("alert", sorted(alerts()))
def test_every_log_alert_fires_in_a_story_and_is_silent_in_another(alert: str) -> None:
    assert {alert in story.alerts for story in STORIES.values()} == {True, False}


def test_stories_name_alerts_that_there_are() -> None:
    assert frozenset[str]().union(*(story.alerts for story in STORIES.values())) <= set(alerts())


def test_of_an_app_that_never_wrote_a_line_the_heartbeat_alone_is_missed(tmp_path: Path) -> None:
    (tmp_path / "lines.jsonl").touch()
    assert fired(tmp_path / "lines.jsonl", FakeClock().now()) == {"heartbeat-missing"}


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, datetime]:
    """The lines of an ordinary day, and its end."""
    lines = tmp_path_factory.mktemp("day") / "lines.jsonl"
    return lines, told(ordinary_day.tell, lines)


@pytest.mark.parametrize("hours_before_its_end", range(0, 25, 3))
def test_an_ordinary_day_is_silent_at_any_time(day: tuple[Path, datetime], hours_before_its_end: int) -> None:
    lines, end = day
    assert fired(lines, end - timedelta(hours=hours_before_its_end)) == set()


def test_lines_that_come_minutes_late_wake_nobody(day: tuple[Path, datetime]) -> None:
    lines, end = day
    assert fired(lines, end + timedelta(minutes=5)) == set()


@pytest.mark.parametrize("name", sorted(set(texts()) - set(alerts())))
def test_a_query_that_people_look_at_shows_something_of_an_ordinary_day(name: str, day: tuple[Path, datetime]) -> None:
    """Where a conversion does not fit, a column stays empty."""
    lines, end = day
    traces().load(lines)
    rows = traces().run(texts()[name], until=end, window=DAY)
    assert rows
    if name.startswith("workbook/"):
        assert not {column for column in rows[0] if all(row[column] in (None, "") for row in rows)}
