"""Charts as SVG that fits any width: positions are percentages, so that text keeps its size.

Each says by its title and description what it shows (WAI-ARIA Graphics Module, role img); the numbers stand in a table
beside it. Colours are classes of report.css.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from upgradectl.figures import nice_ticks, number
from upgradectl.markup import Html, element, joined

_ROW_PX, _BAR_PX, _STACKED_PX = 46, 12, 14
_PLOT_PX, _AXIS_PX, _MARKERS_PX = 190, 26, 40
_MAX_LABELS = 7
_ROOM_AT_LEFT, _ROOM_AT_RIGHT = 0.42, 0.6  # for a label, on a telephone


@dataclass(frozen=True)
class Bar:
    """`figure`: what is written at its end. `colour`: a class."""

    label: str
    value: int
    figure: str
    colour: str


@dataclass(frozen=True)
class Part:
    """Of a whole."""

    label: str
    value: int
    colour: str


@dataclass(frozen=True)
class Column:
    """Parts from the bottom up: (colour, count). `tip`: shown when pointed at."""

    parts: tuple[tuple[str, int], ...]
    tip: str

    @property
    def total(self) -> int:
        return sum(count for _, count in self.parts)


@dataclass(frozen=True)
class Mark:
    """A line across the columns. `at`: from 0 to 1."""

    at: float
    label: str


@dataclass(frozen=True)
class About:
    """What a chart shows. `name`: for ids, unique in the page."""

    name: str
    title: str
    description: str


def bars(about: About, rows: Sequence[Bar]) -> Html:
    """One bar below the other, each under its label."""
    longest = max((row.value for row in rows), default=0) or 1
    drawn = (_bar(row, place * _ROW_PX, 100 * row.value / longest) for place, row in enumerate(rows))
    return _svg(about, "bars", len(rows) * _ROW_PX, joined(drawn))


def _bar(row: Bar, top: int, width: float) -> Html:
    at = {"y": top + 22, "height": _BAR_PX, "rx": 3}
    return element(
        "g",
        element("title", f"{row.label}: {row.figure}"),
        # Not an SVG text: those are not shortened where there is no room.
        element("foreignObject", element("div", row.label, class_="label"), x=0, y=top, width="80%", height=20),
        element("text", row.figure, x="100%", y=top + 15, text_anchor="end", class_="value"),
        element("rect", x=0, width="100%", class_="track", **at),
        # A single one among many is still to be seen.
        element("rect", x=0, width=_percent(max(width, 0.5)), class_=row.colour, **at) if row.value else Html(),
    )


def stacked(about: About, parts: Sequence[Part]) -> Html:
    """One bar, divided by the parts' shares."""
    whole, drawn, begin = sum(part.value for part in parts) or 1, [], 0.0
    for part in parts:
        width = 100 * part.value / whole
        at = {"x": _percent(begin), "width": _percent(width), "y": 0, "height": _STACKED_PX}
        tip = element("title", f"{part.label}: {number(part.value)}")
        drawn.append(element("g", tip, element("rect", class_=part.colour, **at)) if part.value else Html())
        begin += width
    return _svg(about, "stacked", _STACKED_PX, joined(drawn))


def columns(about: About, drawn: Sequence[Column], labels: Mapping[float, str], marks: Sequence[Mark] = ()) -> Html:
    """Columns of equal width side by side, with a scale at the left. `labels`: by place, from 0 to 1, below them."""
    ticks = nice_ticks(max(column.total for column in drawn))
    top = _MARKERS_PX if marks else 10
    plot = _Plot(top, ticks[-1], 100 / len(drawn))
    content = (
        *(plot.tick(tick) for tick in ticks),
        *(plot.column(place, column) for place, column in enumerate(drawn)),
        *(plot.label(place, text) for place, text in _few(labels)),
        *(
            plot.mark(level, mark, is_left=is_left)
            for level, (mark, is_left) in enumerate(_placed(marks) if marks else ())
        ),
    )
    return _svg(about, "columns", top + _PLOT_PX + _AXIS_PX, joined(content))


@dataclass(frozen=True)
class _Plot:
    """`top`: of the plot, in px. `highest`: of the scale. `step`: of one column, in percent."""

    top: int
    highest: int
    step: float

    @property
    def _floor(self) -> int:
        return self.top + _PLOT_PX

    def tick(self, value: int) -> Html:
        y = self._y(value)
        line = element("line", x1=0, x2="100%", y1=y, y2=y, class_="axis" if value == 0 else "grid")
        return joined((line, element("text", number(value), x=-8, y=y + 4, text_anchor="end", class_="tick")))

    def column(self, place: int, column: Column) -> Html:
        gap = min(0.12 * self.step, 0.6)
        at = {"x": _percent(place * self.step + gap), "width": _percent(self.step - 2 * gap)}
        drawn, below = [element("title", column.tip)], 0
        for colour, count in column.parts:
            if count:
                top, bottom = self._y(below + count), self._y(below)
                drawn.append(element("rect", y=top, height=round(max(bottom - top, 1.5), 1), class_=colour, **at))
            below += count
        return element("g", *drawn) if below else Html()

    def label(self, place: float, text: str) -> Html:
        return element("text", text, x=_percent(100 * place), y=self._floor + 18, text_anchor="middle", class_="tick")

    def mark(self, level: int, mark: Mark, *, is_left: bool) -> Html:
        """`level`: of its label, from the top; `is_left`: of its line."""
        x, y = _percent(100 * mark.at), 12 + 16 * level
        line = element("line", x1=x, x2=x, y1=y - 9, y2=self._floor, class_="mark")
        anchor = "end" if is_left else "start"
        return joined(
            (line, element("text", mark.label, x=x, y=y, dx=-6 if is_left else 6, text_anchor=anchor, class_="note"))
        )

    def _y(self, value: int) -> float:
        return round(self._floor - _PLOT_PX * value / self.highest, 1)


def _placed(marks: Sequence[Mark]) -> list[tuple[Mark, bool]]:
    """From the top down, and whether the label is left of its line: so that lines seldom cross labels."""
    first, *others = [
        (mark, mark.at > (_ROOM_AT_RIGHT if order else _ROOM_AT_LEFT)) for order, mark in enumerate(marks)
    ]
    return [*others, first] if first[1] else [first, *others]


def _few(labels: Mapping[float, str]) -> list[tuple[float, str]]:
    """As many as find room on a telephone."""
    ordered = sorted(labels.items())
    return ordered[:: -(-len(ordered) // _MAX_LABELS)]


def _svg(about: About, kind: str, height_px: int, content: Html) -> Html:
    title, description = f"{about.name}-title", f"{about.name}-description"
    return element(
        "svg",
        element("title", about.title, id=title),
        element("desc", about.description, id=description),
        content,
        id=about.name,
        class_=f"chart {kind}",
        role="img",
        aria_labelledby=title,
        aria_describedby=description,
        height=height_px,
    )


def _percent(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".") + "%"
