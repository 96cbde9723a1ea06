"""docs/operations.md has a section for every alert and for every status of a result, and for nothing else."""

import re

import pytest

from shared.models import Status
from shared.refusals import BY_CODE, Kind
from tests.infra.combinations import COMBINATIONS
from tests.infra.operations_page import PAGE, anchor, chapters
from tests.infra.policies_alerts import QUERIES, alerts, minutes
from tests.infra.test_policies import deployment


def test_every_alert_has_its_section_and_every_section_its_alert() -> None:
    assert sorted(chapters()["Alerts"]) == sorted(name for name, _ in alerts(deployment(COMBINATIONS[0])))


def test_every_status_has_its_section_and_every_section_its_status() -> None:
    assert sorted(chapters()["Results"]) == sorted(status.lower() for status in Status)


@pytest.mark.parametrize(("name", "text"), chapters()["Alerts"].items())
def test_an_alerts_section_tells_what_to_see_and_do_what_else_happens_and_when_it_resolves(
    name: str, text: str
) -> None:
    assert re.search(
        r"^\*.*\- \*\*See\*\*: .*- \*\*Do\*\*: .*- \*\*If nobody does anything\*\*: ", text, re.DOTALL | re.M
    ), name
    assert "esolve" in text, name


@pytest.mark.parametrize(("name", "text"), chapters()["Results"].items())
def test_a_results_section_tells_what_to_see_and_do_and_what_happens_otherwise(name: str, text: str) -> None:
    assert "Nothing to do" in text or re.search(r"\*See\*.*\*Do\*.*\*If\snobody\sdoes\sanything\*", text, re.DOTALL), (
        name
    )


def test_the_codes_that_end_a_request_are_explained() -> None:
    for_good = {code for code, refusal in BY_CODE.items() if refusal.kind is Kind.FOR_GOOD}
    assert set(re.findall(r"\b\d{5,6}\b", chapters()["Results"]["rejected"])) == for_good


def test_links_within_the_page_lead_somewhere() -> None:
    links = set(re.findall(r"\]\(#([\w-]+)\)", PAGE.read_text()))
    headings = re.findall(r"^#+ (.+)$", PAGE.read_text(), re.MULTILINE)
    assert links
    assert links <= set(map(anchor, headings))


def test_the_queries_that_the_page_asks_exist_and_those_made_for_it_are_asked() -> None:
    asked = set(re.findall(r"`ask\s([\w/-]+)", PAGE.read_text()))
    assert [name for name in asked if not (QUERIES / f"{name}.kql").is_file()] == []
    assert {f"runbook/{file.stem}" for file in (QUERIES / "runbook").glob("*.kql")} <= asked


def test_the_tables_that_the_page_looks_at_have_the_columns() -> None:
    known = (PAGE.parent / "tables.md").read_text()
    filters = re.findall(r"`look\s\w+\s\"([^\"]+)\"", PAGE.read_text())
    named = {word for text in filters for word in re.findall(r"\b([A-Za-z]+)\s(?:eq|lt|gt)\s", text)}
    assert named
    assert [name for name in named if name not in known] == []


@pytest.mark.parametrize(
    ("duration", "expected"), [("PT5M", 5), ("PT1H30M", 90), ("P2D", 2880), ("5 minutes", 0), ("", 0)]
)
def test_durations_are_read_as_iso_8601_has_them(duration: str, expected: int) -> None:
    assert minutes(duration) == expected
