"""The report as Chromium shows it: complete, legible, within the window, and silent. Screenshots: .local/screenshots.

Contrast: Web Content Accessibility Guidelines 2.2, 1.4.3 (texts) and 1.4.11 (what a chart is made of).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page

from local.component import REPOSITORY
from tests.upgradectl.results_support import START, many, result
from upgradectl.report import Scope, page
from upgradectl.tally import tally

SCREENSHOTS = REPOSITORY / ".local" / "screenshots"
MEASURE = Path(__file__).with_name("measure.js").read_text(encoding="utf-8")
MADE = START + timedelta(days=14)
ALL_CHARTS = {"customers", "outcomes", "durations", "reasons", "timeline"}
CHARTS = {"many": ALL_CHARTS, "one": ALL_CHARTS - {"reasons"}, "none": set[str]()}
TEXT_CONTRAST, MARK_CONTRAST = 4.5, 3

type Scheme = Literal["light", "dark"]
type Box = dict[str, Any]


@dataclass
class Opened:
    """`said`: on the console, by errors and in dialogues. `asked`: every address that was asked for."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    given = {"many": list(many(400)), "one": [result()], "none": []}
    for name, results in given.items():
        (folder / f"{name}.html").write_text(page(tally(results), Scope(MADE, in_flight=37)), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in given}


@contextmanager
def opened(chromium: Browser, file: Path, *, width: int, scheme: Scheme) -> Iterator[Opened]:
    with chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme) as context:
        found = Opened(context.new_page())
        found.page.on("console", lambda message: found.said.append(message.text))
        found.page.on("pageerror", lambda error: found.said.append(str(error)))
        found.page.on("dialog", lambda dialog: found.said.append(dialog.message))
        found.page.on("request", lambda request: found.asked.append(request.url))
        found.page.goto(file.as_uri(), wait_until="networkidle")
        yield found


def overlap(one: Box, other: Box) -> bool:
    is_beside = one["right"] <= other["left"] or other["right"] <= one["left"]
    return not is_beside and one["top"] < other["bottom"] and other["top"] < one["bottom"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("name", list(CHARTS))
def test_it_is_complete_legible_and_silent(
    name: str, width: int, scheme: Scheme, chromium: Browser, reports: dict[str, Path]
) -> None:
    with opened(chromium, reports[name], width=width, scheme=scheme) as found:
        measured = found.page.evaluate(MEASURE)
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        found.page.screenshot(path=SCREENSHOTS / f"report-{name}-{width}-{scheme}.png", full_page=True)
    assert (found.said, found.asked) == ([], [reports[name].as_uri()])
    assert (measured["width"], measured["tooWide"]) == (width, [])
    assert [text for text in measured["texts"] if text["contrast"] < TEXT_CONTRAST] == []
    assert all(text["width"] > 0 and text["height"] > 0 for text in measured["texts"])
    assert {chart["id"] for chart in measured["charts"]} == CHARTS[name]
    for chart in measured["charts"]:
        check_chart(chart, width)


def check_chart(chart: Box, width: int) -> None:
    assert chart["width"] > 0.3 * width
    assert chart["height"] >= 14
    assert chart["marks"]
    for mark in chart["marks"]:
        assert mark["contrast"] >= MARK_CONTRAST, mark
        assert mark["width"] > 0, mark
        assert mark["height"] > 0, mark
        assert chart["left"] - 0.5 <= mark["left"] <= mark["right"] <= chart["right"] + 0.5, mark
        assert chart["top"] - 0.5 <= mark["top"] <= mark["bottom"] <= chart["bottom"] + 0.5, mark
    assert [pair for pair in combinations(chart["labels"], 2) if overlap(*pair)] == []


def test_on_paper_it_is_light(chromium: Browser, reports: dict[str, Path]) -> None:
    with opened(chromium, reports["many"], width=1280, scheme="dark") as found:
        found.page.emulate_media(media="print", color_scheme="dark")
        colour = "getComputedStyle(document.querySelector('h1')).color"
        assert found.page.evaluate(colour) == "rgb(20, 32, 46)"
        pdf = found.page.pdf(path=SCREENSHOTS / "report.pdf", prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF")


def test_the_numbers_over_time_can_be_unfolded(chromium: Browser, reports: dict[str, Path]) -> None:
    with opened(chromium, reports["many"], width=400, scheme="light") as found:
        table = found.page.locator("details table")
        assert not table.is_visible()
        found.page.locator("summary").press("Enter")
        assert table.is_visible()
        assert found.page.evaluate("document.documentElement.scrollWidth") == 400


def test_a_page_that_wants_more_than_itself_would_be_noticed(chromium: Browser, tmp_path: Path) -> None:
    text = page(tally([]), Scope(MADE)).replace("</main>", "<img src=https://example.invalid/x alt=x></main>")
    (tmp_path / "spoilt.html").write_text(text, encoding="utf-8")
    with opened(chromium, tmp_path / "spoilt.html", width=400, scheme="light") as found:
        assert any("Content Security Policy" in line for line in found.said)
