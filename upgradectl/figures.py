"""Numbers, shares, durations and instants as people read them; and the steps of axes. Pure."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400
_DAY_MIN = 1440
_STEPS_MIN = {
    1: "minute",
    5: "5 minutes",
    15: "15 minutes",
    60: "hour",
    240: "4 hours",
    _DAY_MIN: "day",
    7 * _DAY_MIN: "week",
    28 * _DAY_MIN: "4 weeks",
}
_FEWEST_STEPS, _MOST_STEPS = 7, 60
_MONDAY_MIN = 4 * _DAY_MIN  # the epoch's first one: weeks begin there


def number(value: int) -> str:
    return f"{value:,}"


def counted(value: int, noun: str) -> str:
    """`1 customer`, `1,200 customers`."""
    return f"{number(value)} {noun}{'' if value == 1 else 's'}"


def share(part: int, whole: int) -> str:
    """In percent; all and nothing are said of all and nothing alone."""
    if not whole:
        return "-"
    if part in (0, whole):
        return f"{100 * part // whole} %"
    return f"{min(max(100 * part / whole, 0.1), 99.9):.1f} %"


def duration(value_s: float) -> str:
    """The two largest units: `45 s`, `12 min`, `2 h 5 min`, `3 d 4 h`."""
    if value_s < _MINUTE_S:
        return f"{value_s:.2g} s" if value_s < 10 else f"{int(value_s)} s"
    if value_s < _HOUR_S:
        return _two_units(value_s, (_MINUTE_S, "min"), (1, "s")) if value_s < 600 else f"{int(value_s / 60)} min"
    if value_s < _DAY_S:
        return _two_units(value_s, (_HOUR_S, "h"), (_MINUTE_S, "min"))
    return _two_units(value_s, (_DAY_S, "d"), (_HOUR_S, "h"))


def _two_units(value_s: float, large: tuple[int, str], small: tuple[int, str]) -> str:
    first, rest_s = divmod(value_s, large[0])
    second = int(rest_s // small[0])
    return f"{int(first)} {large[1]}" + (f" {second} {small[1]}" if second else "")


def day(at: datetime) -> str:
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


def instant(at: datetime) -> str:
    at = at.astimezone(UTC)
    return f"{day(at)}, {at:%H:%M}"


def period(first: datetime, last: datetime) -> str:
    """`1 Nov 2026, 08:12 to 17:03 UTC`: the date once where both have it."""
    first, last = first.astimezone(UTC), last.astimezone(UTC)
    if first.date() == last.date():
        end = f"{last:%H:%M}"
        return f"{instant(first)} UTC" if end == f"{first:%H:%M}" else f"{instant(first)} to {end} UTC"
    return f"{instant(first)} to {instant(last)} UTC"


def nice_ticks(highest: int, most: int = 4) -> list[int]:
    """From 0 in steps of 1, 2 or 5 times a power of ten; the last one is not below `highest`."""
    if highest <= 0:
        return [0, 1]
    power = 10 ** max(0, math.floor(math.log10(highest / most)))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor * most >= highest)
    return [*range(0, highest + step, step)]


@dataclass(frozen=True)
class Timeline:
    """Equal steps of time without a gap. `starts`: of each, aware UTC. `series`: for each name a count per step."""

    step: str
    step_min: int
    starts: Sequence[datetime]
    series: Mapping[str, Sequence[int]]

    def label(self, at: datetime) -> str:
        """Of a step, as short as can be."""
        short = f"{at.day} {_MONTHS[at.month - 1]}"
        return short if self.step_min >= _DAY_MIN else f"{at:%H:%M}" if self._is_of_one_day() else f"{short} {at:%H:%M}"

    def _is_of_one_day(self) -> bool:
        return self.starts[0].date() == self.starts[-1].date()


def timeline(series: Mapping[str, Counter[int]]) -> Timeline:
    """`series`: counts by minute since the epoch, not all empty. In the smallest step that gives at most 60 of them."""
    minutes = [minute for counts in series.values() for minute in counts]
    first, last = min(minutes), max(minutes)
    step_min = next((step for step in _STEPS_MIN if (last - first) // step < _MOST_STEPS - 1), max(_STEPS_MIN))
    while (last - first) // step_min >= _MOST_STEPS - 1:
        step_min *= 2
    offset = _MONDAY_MIN if step_min >= 7 * _DAY_MIN else 0
    places = range((first - offset) // step_min, (last - offset) // step_min + 1)
    missing = max(0, _FEWEST_STEPS - len(places))
    places = range(places.start - missing // 2, places.stop + (missing + 1) // 2)
    counted_by_place = {name: _regrouped(counts, step_min, offset) for name, counts in series.items()}
    return Timeline(
        _STEPS_MIN.get(step_min, f"{step_min // (7 * _DAY_MIN)} weeks"),
        step_min,
        [datetime.fromtimestamp((place * step_min + offset) * 60, UTC) for place in places],
        {name: [counts[place] for place in places] for name, counts in counted_by_place.items()},
    )


def _regrouped(counts: Counter[int], step_min: int, offset: int) -> Counter[int]:
    found: Counter[int] = Counter()
    for minute, count in counts.items():
        found[(minute - offset) // step_min] += count
    return found
