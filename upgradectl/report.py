"""The report: one HTML file that needs nothing else, for people who do not know the system.

Its Content-Security-Policy allows its own style and nothing more. It holds aggregates and a bounded list, so its size
does not grow with the number of results.
"""

import hashlib
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shared.models import Status
from upgradectl import figures
from upgradectl.charts import About, Part, stacked
from upgradectl.durations import histogram
from upgradectl.figures import counted, duration, number, share
from upgradectl.markup import Html, element, filled, joined
from upgradectl.report_sections import open_upgrades, outcomes, over_time, reasons, swatch, time_to_completion
from upgradectl.tally import Tally

_FOLDER = Path(__file__).parent
_NOTES = (
    "All times are UTC.",
    "A request is one message that asked for the upgrade of one customer; a customer may have several.",
    "A customer counts as upgraded when every product family that was asked for is completed here.",
    "Time to completion runs from the arrival of a request until its result is known, waiting times included.",
    "A duplicate is a request that another one answers. It is no upgrade of its own, and no failure.",
)


@dataclass(frozen=True)
class Scope:
    """What the results are: `selection` in words, or all. `in_flight`: upgrades without a result yet, where known.

    `unreadable`: rows that are left out.
    """

    made_at: datetime
    selection: str = ""
    is_by_status: bool = False
    in_flight: int | None = None
    unreadable: int = 0


def page(found: Tally, scope: Scope) -> str:
    """The whole file."""
    style = (_FOLDER / "report.css").read_text(encoding="utf-8")
    headline = _headline(found, scope)
    parts = (outcomes(found), time_to_completion(found), reasons(found), over_time(found), open_upgrades(found))
    values = {
        "style": Html(style),
        "style_hash": b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        "title": f"Product upgrades: {headline}",
        "eyebrow": _eyebrow(found),
        "headline": headline,
        "lede": _lede(found, scope),
        "overview": _overview(found, scope),
        "sections": joined(part for part in parts if part),
        "notes": element("ul", *(element("li", note) for note in (*_NOTES, *_own_notes(found, scope)))),
    }
    return filled((_FOLDER / "report.html").read_text(encoding="utf-8"), values)


def _eyebrow(found: Tally) -> str:
    families = sorted(found.families)
    return f"Product upgrades · {', '.join(families)}" if 0 < len(families) <= 4 else "Product upgrades"


def _headline(found: Tally, scope: Scope) -> str:
    if not found.requests:
        return "No results yet" if not scope.selection else "No results in this selection"
    if scope.is_by_status:
        return f"{counted(found.requests, 'result')} of {counted(found.customers, 'customer')}"
    return f"{number(found.upgraded)} of {counted(found.customers, 'customer')} upgraded"


def _lede(found: Tally, scope: Scope) -> str:
    parts = [f"Only {scope.selection}."] if scope.selection else []
    if found.first_at and found.last_at:
        parts.append(f"Results of {figures.period(found.first_at, found.last_at)}.")
    parts.append(f"Made on {figures.instant(scope.made_at)} UTC.")
    return " ".join(parts)


def _own_notes(found: Tally, scope: Scope) -> list[str]:
    notes = []
    if found.answered_elsewhere:
        who = counted(found.answered_elsewhere, "customer")
        notes.append(f"Of {who} this report has duplicates alone: what answers them lies outside of it.")
    if scope.unreadable:
        notes.append(f"Left out, because they cannot be read: {counted(scope.unreadable, 'row')} of the tables.")
    if scope.in_flight is not None:
        notes.append("Upgrades that are still under way have no result, and count in no other figure.")
    return notes


@dataclass(frozen=True)
class _Tile:
    name: str
    figure: str
    note: str
    colour: str = ""

    @property
    def html(self) -> Html:
        name = element("dt", swatch(self.colour) if self.colour else Html(), self.name)
        return element("div", name, element("dd", self.figure, class_="figure"), element("dd", self.note))


def _overview(found: Tally, scope: Scope) -> Html:
    """What one looks at first. Results of some statuses alone say nothing of how customers stand."""
    if scope.is_by_status:
        return Html()
    tiles = [*_customer_tiles(found), *_request_tiles(found, scope.in_flight)]
    grid = element("dl", *(tile.html for tile in tiles), class_="tiles") if tiles else Html()
    return joined((_customers(found) if found.customers else Html(), grid))


def _customers(found: Tally) -> Html:
    parts = (
        Part("Upgraded", found.upgraded, "completed"),
        Part("Not fully upgraded", found.not_upgraded, "failed"),
        Part("Duplicates alone", found.answered_elsewhere, "duplicate"),
    )
    described = ", ".join(f"{part.label}: {number(part.value)}" for part in parts if part.value)
    return stacked(About("customers", "Customers upgraded and not", f"{described}."), parts)


def _customer_tiles(found: Tally) -> list[_Tile]:
    if not found.customers:
        return []
    of_all = f"{number(found.upgraded)} of {counted(found.customers, 'customer')}"
    left = "see the list below" if found.not_upgraded else "nothing left to do"
    return [
        _Tile("Upgraded", share(found.upgraded, found.customers), of_all, "completed"),
        _Tile("Not fully upgraded", number(found.not_upgraded), left, "failed"),
    ]


def _request_tiles(found: Tally, in_flight: int | None) -> list[_Tile]:
    tiles = []
    if in_flight is not None:
        tiles.append(_Tile("Still under way", number(in_flight), "without a result yet"))
    if found.durations_s:
        median = duration(histogram(found.durations_s).median_s)
        tiles.append(_Tile("Time to completion", median, "the median; see below"))
    if found.requests:
        duplicates = counted(found.statuses[Status.DUPLICATE], "duplicate")
        tiles.append(_Tile("Requests", number(found.requests), f"with {duplicates}"))
    return tiles
