"""The log events of the code, of docs/events.md and of the queries are the same, in both directions."""

import pytest

from tests.operations.analysis import events_read
from tests.operations.events import documented, written
from tests.operations.queries import texts


def test_the_page_names_every_event_that_the_code_writes_and_no_other() -> None:
    assert set(documented()) == set(written())


@pytest.mark.parametrize("event", sorted(written()))
def test_the_page_says_at_which_levels_and_with_which_fields(event: str) -> None:
    assert documented()[event] == written()[event]


def unknown(query: str) -> set[str]:
    """What it reads of the log that nobody writes."""
    read = events_read(query)
    known = set[str]().union(*(written()[event].fields for event in read.events & set(written())))
    return set((read.events - set(written())) | (read.fields - known))


@pytest.mark.parametrize("name", sorted(texts()))
def test_a_query_reads_events_that_there_are_and_fields_that_they_have(name: str) -> None:
    assert unknown(texts()[name]) == set()


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("fields.overdue", "fields.overdu"), ("fields.overdue", "fields.status"), ("poll.tick", "poll.tck")],
)
def test_a_misspelt_event_or_field_and_a_field_of_another_event_are_found(right: str, wrong: str) -> None:
    query = texts()["upgrades-overdue"]
    assert unknown(query) == set() != unknown(query.replace(right, wrong))


@pytest.mark.parametrize("name", sorted(texts()))
def test_a_query_needs_no_line_that_never_leaves_the_worker(name: str) -> None:
    """The root logger of a function app is at INFO."""
    assert not [event for event in events_read(texts()[name]).events if written()[event].levels == {"debug"}]
