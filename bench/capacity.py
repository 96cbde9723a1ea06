"""`python -m bench.capacity`: what upgrades cost and how long they take, as Markdown.

From the settings' defaults, from what one upgrade needs (docs/architecture.md), and from what bench/results.json holds.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bench import results
from bench.figures import Figure
from shared import backoff
from shared.settings import Settings

UPGRADES = (1_000, 10_000, 100_000)
LASTING_H = (1 / 6, 1, 6, 24)
LIMITS_PER_MIN = (60, 600, 6_000)
USUAL_H = 1  # that an upgrade lasts, where a table says nothing else
TICK_S = 60  # POLL_SCHEDULE
IN_FLIGHT = (10_000, 100_000, 1_000_000)
# Tables: claim, look for results, take (where the request had to wait), hand-over; and at the end the row's deletion.
_ONCE = 5
_MINUTE_S, _HOUR_S = 60, 3600

type Line = Sequence[str]


def main() -> None:
    found = results.read(Path(__file__).with_name("results.json"))
    print("\n\n".join(f"{title}\n\n{table}" for title, table in tables(found)))  # noqa: T201  what it is for


def tables(found: Iterable[results.Result]) -> Iterator[tuple[str, str]]:
    """Title and Markdown of each."""
    figures = {
        (result.outcome.number, row.measured): row.app.median
        for result in found
        for row in result.outcome.rows
        if isinstance(row.app, Figure)
    }
    creates_per_s, polls_per_s = figures[2, "16 at once: creates/s"], figures[6, "16 at once: status calls/s"]
    reading_s = figures[5, "100,000 in flight, 1,000 due: reading"]
    yield "Status calls of an upgrade", _markdown(("an upgrade that lasts", "status calls"), _polls())
    head: Line = ("upgrades", "calls of the API", "storage transactions", "s of CreateUpgrade", "s of PollUpgrade")
    yield "What upgrades cost where nothing throttles", _markdown(head, _costs(creates_per_s, polls_per_s))
    head = ("upgrades", *(f"{limit:,} calls a minute" for limit in LIMITS_PER_MIN))
    yield "How long they take at a limit of the API", _markdown(head, _durations())
    head = ("rows in flight", "both looks of a tick", "share of TICK_BUDGET_S")
    yield "What rows in flight cost a tick", _markdown(head, _looks(reading_s))


def polls_of(lasting_s: float) -> int:
    """Status calls until the one that finds an upgrade of this length finished: the mean of delays and ticks."""
    polls, asked_s = 0, 0.0
    while asked_s < lasting_s:
        delay_s = backoff.doubling_s(Settings.first_poll_s, Settings.max_poll_s, polls)
        asked_s += backoff.spread_s(delay_s, 0.5) + TICK_S / 2
        polls += 1
    return polls


def calls_of(upgrades: int, lasting_h: float = USUAL_H) -> int:
    return upgrades * (1 + polls_of(lasting_h * _HOUR_S))


def transactions_of(upgrades: int, lasting_h: float = USUAL_H) -> int:
    """Of the upgrades alone: each status call ends with a write, of the row or of its result."""
    return upgrades * (_ONCE + polls_of(lasting_h * _HOUR_S))


def _polls() -> Iterator[Line]:
    return ((_duration(hours * _HOUR_S), str(polls_of(hours * _HOUR_S))) for hours in LASTING_H)


def _costs(creates_per_s: float, polls_per_s: float) -> Iterator[Line]:
    for count in UPGRADES:
        polls = calls_of(count) - count
        seconds = (count / creates_per_s, polls / polls_per_s)
        yield (f"{count:,}", f"{count + polls:,}", f"{transactions_of(count):,}", *(f"{s:,.0f}" for s in seconds))


def _durations() -> Iterator[Line]:
    for count in UPGRADES:
        lasts = (_duration(calls_of(count) / limit * _MINUTE_S) for limit in LIMITS_PER_MIN)
        yield (f"{count:,}", *lasts)


def _looks(reading_s: float) -> Iterator[Line]:
    """In proportion to what was measured at 100,000."""
    for count in IN_FLIGHT:
        looks_s = reading_s * count / 100_000
        yield f"{count:,}", f"{looks_s:.2g} s", f"{100 * looks_s / Settings.tick_budget_s:.2g} %"


def _duration(seconds: float) -> str:
    """In the largest unit that it is at least twice as long as."""
    units = (("days", 24 * _HOUR_S), ("h", _HOUR_S), ("min", _MINUTE_S))
    name, length_s = next((unit for unit in units if seconds >= 2 * unit[1]), units[-1])
    return f"{seconds / length_s:.3g} {name}"


def _markdown(head: Line, lines: Iterable[Line]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ("---",) * len(head), *lines))


if __name__ == "__main__":
    main()
