"""Every query is right for the vendor's language service and by our convention; and both can tell a wrong one."""

import json

import pytest

from tests.operations.analysis import PRELUDE, EventsRead, diagnostics, events_read
from tests.operations.queries import FOLDER, alerts, texts

RIGHT = PRELUDE + '| where event == "poll.tick"\n| extend overdue = toint(fields.overdue)\n| where overdue > 0\n'
# Each with what the language service says.
WRONG = {
    RIGHT.replace("where overdue", "where overdu"): "'overdu' does not refer to any known column",
    RIGHT.replace("AppTraces", "AppTrace"): "'AppTrace' does not refer to any known table",
    RIGHT.replace("toint", "tooint"): "'tooint' does not refer to any known function",
    RIGHT.replace("toint(fields.overdue)", "fields.overdue > ago(1h)"): "not defined for the operand types",
    RIGHT.replace("| where overdue", "| wher overdue"): "Query operator expected",
}
# Each with what the convention has against it.
UNREADABLE = {
    RIGHT.replace("extend event", "extend name"): "does not begin with the prelude",
    RIGHT.replace('== "poll.tick"', 'startswith "poll"'): "does not begin with the prelude",
    RIGHT.replace("toint(fields.overdue)", 'toint(fields["overdue"])'): "without a conversion",
    RIGHT.replace("toint(fields.overdue)", "fields.overdue"): "without a conversion",
    RIGHT.replace("toint(fields.overdue)", "toint(parse_json(OperationName).overdue)"): "parse_json",
    RIGHT + "| where Message contains 'overdu'\n": "looked into",
    RIGHT + "| where TimeGenerated > ago(1h)\n": "ago",
}


@pytest.fixture(scope="module")
def said() -> dict[str, list[str]]:
    """Of all queries, ours and the wrong ones: a start of the language service takes seconds."""
    return diagnostics({**texts(), "right": RIGHT, **{query: query for query in WRONG}})


def test_there_is_a_query_for_every_log_alert_and_no_other() -> None:
    assert {name for name in texts() if "/" not in name} == set(alerts())
    assert len(alerts()) >= 12


def test_each_file_of_a_query_is_found() -> None:
    assert sorted(FOLDER.rglob("*.kql")) == sorted(path for path in FOLDER.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", sorted(texts()))
def test_the_language_service_has_nothing_against_a_query(name: str, said: dict[str, list[str]]) -> None:
    assert said[name] == []


@pytest.mark.parametrize("name", sorted(texts()))
def test_a_query_says_what_it_is_for_and_can_be_read(name: str) -> None:
    assert texts()[name].startswith("// ")
    assert events_read(texts()[name]).events


def test_a_query_that_is_right_is_found_right(said: dict[str, list[str]]) -> None:
    assert said["right"] == []
    read = events_read(RIGHT)
    assert read == EventsRead(frozenset({"poll.tick"}), frozenset({"overdue"}))


@pytest.mark.parametrize(("query", "complaint"), WRONG.items(), ids=WRONG.values())
def test_a_query_that_is_wrong_is_found_wrong(query: str, complaint: str, said: dict[str, list[str]]) -> None:
    assert complaint in json.dumps(said[query])


@pytest.mark.parametrize(("query", "complaint"), UNREADABLE.items())
def test_a_query_whose_events_or_fields_cannot_be_told_is_refused(query: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        events_read(query)
