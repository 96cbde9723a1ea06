"""The report and what it is made of: what it counts, what it says of it, and that nothing in it can do harm."""

import hashlib
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest

from shared.models import Status, UpgradeResult
from tests.fakes import NOON
from tests.unit.rows import result
from tests.upgradectl.results_support import HOSTILE, many
from upgradectl import figures
from upgradectl.charts import About, Bar, Column, bars, columns
from upgradectl.durations import histogram
from upgradectl.figures import duration, nice_ticks, period, share, timeline
from upgradectl.markup import Html, element, filled
from upgradectl.report import Scope, page
from upgradectl.report_sections import STATUSES
from upgradectl.tally import MAX_OPEN, NO_REASON, Tally, reason_text, tally

A, B, C = (f"{letter * 8}-0000-4000-8000-000000000000" for letter in "abc")
MADE = Scope(NOON)
FAILED = {"status": Status.FAILED, "error_code": "900120", "error_description": "It failed."}
VOID = {"meta"}


class Page(HTMLParser):
    """Every element with its attributes, and the text without style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, "elements are nested as they are written"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag == name]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def shown(results: Sequence[UpgradeResult] | Iterator[UpgradeResult], scope: Scope = MADE) -> Page:
    return Page(page(tally(results), scope))


def later(**times: float) -> datetime:
    return NOON + timedelta(**times)


def test_a_retry_that_completed_makes_a_customer_upgraded() -> None:
    found = tally(
        [
            result(customer_id=A, request_id="r1", **FAILED),
            result(customer_id=A, request_id="r2", finished_at=later(hours=1)),
            result(customer_id=B, **FAILED),
        ]
    )
    assert (found.customers, found.upgraded, found.not_upgraded, found.requests) == (2, 1, 1, 3)
    assert [one.customer_id for one in found.open] == [B]


def test_a_completed_upgrade_is_not_undone_by_a_later_failure() -> None:
    found = tally([result(request_id="r1"), result(request_id="r2", finished_at=later(hours=1), **FAILED)])
    assert (found.upgraded, found.open) == (1, [])


def test_the_last_word_of_a_customer_counts() -> None:
    given = [
        result(request_id="r1", finished_at=later(hours=2), status=Status.TIMED_OUT),
        result(request_id="r2", finished_at=later(hours=1), **FAILED),
    ]
    assert [one.status for one in tally(given).open] == [Status.TIMED_OUT]


def test_a_customer_is_upgraded_when_all_of_its_families_are() -> None:
    found = tally([result(), result(product_family="Other", **FAILED)])
    assert (found.customers, found.upgraded, found.open_count) == (1, 0, 1)


def test_duplicates_alone_say_nothing_of_a_customer() -> None:
    given = [result(customer_id=A), result(customer_id=B, status=Status.DUPLICATE, duplicate_of="r0")]
    found = tally(given)
    assert (found.customers, found.upgraded, found.not_upgraded, found.answered_elsewhere) == (2, 1, 0, 1)
    assert (found.not_completed, found.reasons, len(found.durations_s)) == (0, {}, 1)
    assert "Of 1 customer this report has duplicates alone" in shown(given).text


def test_reasons_are_grouped_by_code_without_the_ids_that_differ() -> None:
    words = "Customer {} has no relationship."
    given = [
        result(customer_id=A, status=Status.REJECTED, error_code="20002", error_description=words.format(A)),
        result(customer_id=B, status=Status.REJECTED, error_code="20002", error_description=words.format(B.upper())),
        result(customer_id=C, status=Status.TIMED_OUT),
    ]
    found = [(reason.code, reason.description, reason.count) for reason in tally(given).reasons.values()]
    assert found == [("20002", "Customer … has no relationship.", 2), ("", "Not final by the deadline", 1)]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"error_description": " a\n b "}, "a b"),
        ({"error_description": "x" * 300}, "x" * 200 + "…"),
        ({"error_code": "1"}, ""),
        ({}, NO_REASON),
    ],
)
def test_a_reason_is_one_short_line(given: dict[str, str], text: str) -> None:
    assert reason_text(result(status=Status.FAILED, **given)) == text


def test_a_request_that_ended_before_it_came_took_no_time() -> None:
    assert list(tally([result(requested_at=later(seconds=1))]).durations_s) == [0]


def test_what_is_kept_does_not_grow_with_the_results() -> None:
    found = tally(
        result(customer_id=f"{number:08d}", line_items=({"status": "Failed"},), **FAILED) for number in range(1500)
    )
    assert (found.open_count, len(found.open)) == (1500, MAX_OPEN)
    assert found.open[0].line_items == ()
    assert found.open[-1].customer_id == f"{MAX_OPEN - 1:08d}"


def test_a_report_of_100_000_results_is_as_large_as_one_of_some_thousand() -> None:
    given = list(many(2500))
    found = tally(replace(one, customer_id=f"{copy}-{one.customer_id}") for copy in range(40) for one in given)
    assert found.customers == 100_000
    assert found.requests > 100_000
    text = page(found, MADE)
    assert len(text) < 1.05 * len(page(tally(many(6000)), MADE))
    assert f"The first 1,000 by customer id; {found.open_count - 1000:,} more are in the CSV export." in Page(text).text


def test_without_results_it_says_so() -> None:
    for scope, words in ((MADE, "No results yet"), (Scope(NOON, "customer"), "No results in this selection")):
        found = shown([], scope)
        assert words in found.text
        assert not found.named("svg")
        assert not found.named("section")


def test_a_single_result_has_charts_and_no_plural() -> None:
    found = shown([result(finished_at=later(hours=2))])
    assert {svg["id"] for svg in found.named("svg")} == {"customers", "outcomes", "durations", "timeline"}
    assert "1 of 1 customer upgraded" in found.text
    assert "The one completed request took 2 h." in found.text


def test_all_charts_are_named_and_described_and_have_a_table() -> None:
    found = shown(many(300))
    svgs = found.named("svg")
    assert {svg["id"] for svg in svgs} == {"customers", "outcomes", "durations", "reasons", "timeline"}
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(svg["role"] == "img" and {svg["aria-labelledby"], svg["aria-describedby"]} <= {*ids} for svg in svgs)
    assert len(found.named("table")) == 5
    assert all(th["scope"] in ("col", "row") for th in found.named("th"))


def test_every_status_has_a_name_a_colour_and_a_meaning() -> None:
    assert set(STATUSES) == set(Status)
    assert len({colour for _, colour, _ in STATUSES.values()}) == len(Status)
    style = re.search("<style>(.*)</style>", page(Tally(), MADE), re.DOTALL)
    assert style
    assert all(f".{colour} {{" in style[1] for _, colour, _ in STATUSES.values())


def test_all_figures_agree_with_the_results() -> None:
    given = list(many(400))
    text = shown(given, Scope(NOON, in_flight=1234)).text
    counts = Counter(one.status for one in given)
    for status, (name, _, _) in STATUSES.items():
        assert f"{name}: {counts[status]} · {share(counts[status], len(given))}" in text
    upgraded = len({one.customer_id for one in given if one.status is Status.COMPLETED})
    assert f"{upgraded} of 400 customers upgraded" in text
    assert "Still under way 1,234" in text
    assert "Results of 2 Nov 2026, " in text
    assert " UTC. Made on 1 Mar 2026, 12:00 UTC." in text


def test_of_some_statuses_alone_it_does_not_say_how_customers_stand() -> None:
    found = shown([result(**FAILED)], Scope(NOON, "status Failed", is_by_status=True))
    assert "Only status Failed." in found.text
    assert "1 result of 1 customer" in found.text
    assert "upgraded 0" not in found.text
    assert not found.named("dl")


def test_what_cannot_be_read_is_said() -> None:
    assert "Left out, because they cannot be read: 2 rows" in shown([], Scope(NOON, unreadable=2)).text


def test_nothing_in_a_result_becomes_markup() -> None:
    hostile: dict[str, Any] = {"product_family": HOSTILE, "request_id": HOSTILE}
    words = {"error_code": HOSTILE, "error_description": HOSTILE}
    found = shown([result(customer_id=HOSTILE, status=Status.FAILED, **hostile, **words)])
    assert found.named("script") == []
    assert found.open == []
    assert "document.body.innerHTML=''" in found.text
    allowed = {"class", "id", "role", "scope", "lang", "charset", "name", "content", "http-equiv"}
    drawn = {"x", "y", "x1", "x2", "y1", "y2", "dx", "rx", "width", "height", "text-anchor"}
    aria = {"aria-labelledby", "aria-describedby", "aria-hidden"}
    assert {name for _, attributes in found.elements for name in attributes} <= allowed | drawn | aria


def test_it_needs_no_other_file_and_allows_none() -> None:
    text = page(tally(many(50)), MADE)
    style = re.search("<style>(.*)</style>", text, re.DOTALL)
    assert style
    hashed = b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policies = [one["content"] for one in Page(text).named("meta") if one.get("http-equiv")]
    assert policies == [f"default-src 'none'; style-src 'sha256-{hashed}'; base-uri 'none'; form-action 'none'"]
    assert not re.search(r"url\(|@import|https?:|src=|href=|style=", text)


@pytest.mark.parametrize(
    ("value_s", "text"),
    [
        (0, "0 s"),
        (1.26, "1.3 s"),
        (9.96, "10 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (125, "2 min 5 s"),
        (3599, "59 min"),
        (7500, "2 h 5 min"),
        (86400, "1 d"),
        (3 * 86400 + 5 * 3600, "3 d 5 h"),
    ],
)
def test_durations_have_two_units(value_s: float, text: str) -> None:
    assert duration(value_s) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 0, "-"), (0, 7, "0 %"), (7, 7, "100 %"), (1, 3, "33.3 %"), (99_999, 100_000, "99.9 %"), (1, 100_000, "0.1 %")],
)
def test_all_and_nothing_are_said_of_all_and_nothing_alone(part: int, whole: int, text: str) -> None:
    assert share(part, whole) == text


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [
        (NOON, NOON, "1 Mar 2026, 12:00 UTC"),
        (NOON, later(hours=2), "1 Mar 2026, 12:00 to 14:00 UTC"),
        (NOON, later(days=40), "1 Mar 2026, 12:00 to 10 Apr 2026, 12:00 UTC"),
    ],
)
def test_a_period_names_a_day_once(first: datetime, last: datetime, text: str) -> None:
    assert period(first, last) == text


@pytest.mark.parametrize("highest", [0, 1, 3, 4, 7, 10, 99, 158, 1001, 99_999])
def test_a_scale_has_few_round_steps_and_holds_all(highest: int) -> None:
    ticks = nice_ticks(highest)
    steps = {b - a for a, b in pairwise(ticks)}
    assert ticks[0] == 0
    assert highest <= ticks[-1] <= max(1, 2 * highest)
    assert len(ticks) <= 6
    assert len(steps) == 1
    assert re.fullmatch("[125]0*", str(steps.pop()))


@pytest.mark.parametrize(
    ("span", "step"),
    [
        (timedelta(), "minute"),
        (timedelta(minutes=50), "minute"),
        (timedelta(hours=20), "hour"),
        (timedelta(days=8), "4 hours"),
        (timedelta(days=40), "day"),
        (timedelta(days=300), "week"),
        (timedelta(days=1200), "4 weeks"),
        (timedelta(days=20_000), "64 weeks"),
    ],
)
def test_time_is_cut_into_7_to_60_steps_that_lose_nothing(span: timedelta, step: str) -> None:
    first, last = (int(at.timestamp() // 60) for at in (NOON, NOON + span))
    line = timeline({"a": Counter({first: 2, last: 1}), "b": Counter({last: 5})})
    assert line.step == step
    assert 7 <= len(line.starts) <= 60
    assert line.starts[0] <= NOON < line.starts[-1] + timedelta(minutes=line.step_min)
    assert (sum(line.series["a"]), sum(line.series["b"])) == (3 if span else 1, 5)
    assert {len(counts) for counts in line.series.values()} == {len(line.starts)}


@pytest.mark.parametrize(("days", "check"), [(40, lambda at: at.hour == 0), (300, lambda at: at.weekday() == 0)])
def test_days_begin_at_midnight_and_weeks_on_a_monday(days: int, check: Callable[[datetime], bool]) -> None:
    minute = int(NOON.timestamp() // 60)
    line = timeline({"a": Counter({minute: 1, minute + days * 1440: 1})})
    assert all(map(check, line.starts))


def test_a_histogram_holds_every_duration_and_the_quantiles_lie_in_it() -> None:
    durations_s = [0, 0.5, 59, 60, 61, 3600, 90_000, 40 * 86400]
    found = histogram(durations_s)
    assert sum(found.counts) == len(durations_s)
    assert len(found.edges) == len(found.counts) + 1
    assert found.edges[0] == "0"
    assert found.edges[-1] == ""
    assert found.median_s == 60.5
    assert 0 <= found.position(found.median_s) < found.position(found.p90_s) <= 1
    assert found.position(60) == found.edges.index("1 min") / len(found.counts)


@pytest.mark.parametrize("value_s", [0, 0.5, 60, 7200, 40 * 86400, 4000 * 86400])
def test_a_single_duration_stands_among_others(value_s: float) -> None:
    found = histogram([value_s])
    assert (sum(found.counts), len(found.counts)) == (1, 7)
    assert (found.median_s, found.p90_s) == (value_s, value_s)
    place = found.counts.index(1)
    assert place <= 7 * found.position(value_s) < place + 1


def test_bars_are_as_long_as_their_values() -> None:
    drawn = Page(
        bars(About("x", "t", "d"), [Bar("a", 200, "200", "c"), Bar("b", 50, "50", "c"), Bar("z", 0, "0", "c")])
    )
    assert [rect["width"] for rect in drawn.named("rect") if rect["class"] == "c"] == ["100%", "25%"]


def test_columns_stack_their_parts_without_a_gap() -> None:
    drawn = Page(columns(About("x", "t", "d"), [Column((("low", 30), ("high", 10)), "tip")] * 3, {0.5: "middle"}))
    rects = {rect["class"]: rect for rect in drawn.named("rect")}
    low, high = ((float(rects[name]["y"] or 0), float(rects[name]["height"] or 0)) for name in ("low", "high"))
    assert high[0] + high[1] == low[0]
    assert low[1] == 3 * high[1]
    assert len(drawn.named("rect")) == 6


def test_markup_takes_texts_as_texts() -> None:
    assert element("p", "<b>", Html("<i></i>"), class_='a"b', text_anchor=None) == (
        '<p class="a&quot;b">&lt;b&gt;<i></i></p>'
    )
    assert filled("<p>$a $b</p>", {"a": "<&$b", "b": Html("<b></b>")}) == "<p>&lt;&amp;$b <b></b></p>"
    with pytest.raises(KeyError):
        filled("$missing", {})


def test_an_instant_is_shown_in_utc() -> None:
    assert figures.instant(datetime.fromisoformat("2026-03-01T00:30+02:00")) == "28 Feb 2026, 22:30"
    assert figures.instant(datetime(2026, 3, 1, tzinfo=UTC)) == "1 Mar 2026, 00:00"
