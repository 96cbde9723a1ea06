"""The report's sections: what each chart shows, its finding in one sentence, and its numbers as a table."""

from collections.abc import Iterable, Sequence

from shared.models import Status, UpgradeResult
from upgradectl import figures
from upgradectl.charts import About, Bar, Column, Mark, bars, columns
from upgradectl.durations import Histogram, histogram
from upgradectl.figures import Timeline, counted, duration, number, share, timeline
from upgradectl.markup import Html, element, joined
from upgradectl.tally import Reason, Tally, reason_text

# Name, colour, meaning; in the order in which they are shown.
STATUSES: dict[Status, tuple[str, str, str]] = {
    Status.COMPLETED: ("Completed", "completed", "the upgrade and all of its line items"),
    Status.PARTIALLY_COMPLETED: ("Partially completed", "partly", "some line items failed"),
    Status.FAILED: ("Failed", "failed", "the upgrade, or all of its line items"),
    Status.REJECTED: ("Rejected", "rejected", "Partner Center refused it for good"),
    Status.TIMED_OUT: ("Timed out", "timed-out", "still not final at the deadline"),
    Status.CANCELLED: ("Cancelled", "cancelled", "withdrawn before it was submitted"),
    Status.DUPLICATE: ("Duplicate", "duplicate", "another request answers it"),
}
_MAX_REASONS = 12


def outcomes(found: Tally) -> Html:
    """How many requests ended in which status."""
    if not found.requests:
        return Html()
    seen = [(status, *STATUSES[status], found.statuses[status]) for status in STATUSES if found.statuses[status]]
    listed = ", ".join(f"{name} {number(count)}" for _, name, _, _, count in seen)
    about = About("outcomes", "Requests by status", f"{listed}.")
    chart = bars(
        about,
        [
            Bar(name, count, f"{number(count)} · {share(count, found.requests)}", colour)
            for _, name, colour, _, count in seen
        ],
    )
    rows = [
        (_named(name, meaning, colour), number(count), share(count, found.requests))
        for _, name, colour, meaning, count in seen
    ]
    completed = found.statuses[Status.COMPLETED]
    rate = f", {share(completed, found.requests)} of them completed" if completed else ""
    finding = f"{counted(found.requests, 'request')}{rate}."
    return _section("How requests ended", finding, _beside(chart, _table(("Status", "Requests", "Share"), rows)))


def time_to_completion(found: Tally) -> Html:
    """How long the completed requests took."""
    if not found.durations_s:
        return Html()
    steps = histogram(found.durations_s)
    median, p90 = duration(steps.median_s), duration(steps.p90_s)
    if len(found.durations_s) == 1:
        finding, values = f"The one completed request took {median}.", {median: steps.median_s}
    else:
        finding = f"Half of the completed requests took at most {median}, nine in ten at most {p90}."
        values = {f"median {median}": steps.median_s, f"90 % {p90}": steps.p90_s}
    about = About("durations", "Completed requests by the time they took", finding)
    marks = [Mark(steps.position(value_s), label) for label, value_s in values.items()]
    drawn = [
        Column((("completed", count),), f"{_step(steps, place)}: {counted(count, 'request')}")
        for place, count in enumerate(steps.counts)
    ]
    labels = {place / len(steps.counts): edge for place, edge in enumerate(steps.edges) if edge}
    chart = columns(about, drawn, labels, marks)
    return _section("Time to completion", finding, _beside(chart, _durations_table(steps)))


def _durations_table(steps: Histogram) -> Html:
    rows, so_far, whole = [], 0, sum(steps.counts)
    for place, count in enumerate(steps.counts):
        so_far += count
        if so_far and so_far - count < whole:
            rows.append((_step(steps, place), number(count), share(so_far, whole)))
    return _table(("Took", "Requests", "So far"), rows)


def _step(steps: Histogram, place: int) -> str:
    begin, end = steps.edges[place : place + 2]
    return f"{begin} to {end}" if end else f"{begin} or longer"


def reasons(found: Tally) -> Html:
    """Why requests did not complete."""
    if not found.reasons:
        return Html()
    ranked = sorted(found.reasons.values(), key=lambda reason: (-reason.count, reason.code, reason.description))
    shown, others = ranked[:_MAX_REASONS], ranked[_MAX_REASONS:]
    drawn = [Bar(_short(reason), reason.count, number(reason.count), "failed") for reason in shown]
    rows: list[tuple[object, ...]] = [
        (_named(reason.code or reason.description, reason.description if reason.code else ""), number(reason.count))
        for reason in shown
    ]
    if others:
        rest, name = sum(reason.count for reason in others), counted(len(others), "other reason")
        drawn.append(Bar(name, rest, number(rest), "cancelled"))
        rows.append((name, number(rest)))
    most = f"{_short(ranked[0]).rstrip('.')} ({number(ranked[0].count)})."
    finding = f"{counted(found.not_completed, 'request')} ended otherwise. The most frequent reason: {most}"
    about = About("reasons", "Requests that did not complete, by reason", f"Most often: {most}")
    return _section(
        "Why upgrades did not complete", finding, _beside(bars(about, drawn), _table(("Reason", "Requests"), rows))
    )


def _short(reason: Reason) -> str:
    return " · ".join(part for part in (reason.code, reason.description) if part)


def over_time(found: Tally) -> Html:
    """When results came."""
    if not found.completed_at and not found.not_completed_at:
        return Html()
    line = timeline({"completed": found.completed_at, "failed": found.not_completed_at})
    rows = list(zip(line.starts, line.series["completed"], line.series["failed"], strict=True))
    best = max(line.series["completed"])
    finding = f"At most {number(best)} completed within {_one(line.step)}." if best else "None of them completed."
    first, last = (figures.instant(at) for at in (line.starts[0], line.starts[-1]))
    about = About("timeline", f"Results per {line.step}", f"From {first} to {last} UTC. {finding}")
    drawn = [
        Column(
            (("completed", completed), ("failed", other)),
            f"{figures.instant(at)} UTC: {number(completed)} completed, {number(other)} ended otherwise",
        )
        for at, completed, other in rows
    ]
    chart = columns(about, drawn, _time_labels(line))
    numbers = _table(
        (f"{line.step.capitalize()} from (UTC)", "Completed", "Otherwise"),
        [
            (figures.instant(at), number(completed), number(other))
            for at, completed, other in rows
            if completed or other
        ],
    )
    details = element("details", element("summary", "The numbers as a table"), numbers)
    return _section(f"Results per {line.step}", finding, element("div", chart, _legend(), class_="wide"), details)


def _one(step: str) -> str:
    if step[0].isdigit():
        return step
    return f"{'an' if step == 'hour' else 'a'} {step}"


def _time_labels(line: Timeline) -> dict[float, str]:
    """At the middle of at most six columns."""
    count = len(line.starts)
    every = -(-count // 6)
    return {(place + 0.5) / count: line.label(line.starts[place]) for place in range(0, count, every)}


def _legend() -> Html:
    names = (("Completed", "completed"), ("Ended otherwise, duplicates left out", "failed"))
    return element("ul", *(element("li", swatch(colour), name) for name, colour in names), class_="legend")


def open_upgrades(found: Tally) -> Html:
    """Customers whose upgrade is still to be done."""
    if not found.open_count:
        return Html()
    headings = ("Customer", "Last result", "Reason")
    head = element("thead", element("tr", *(element("th", name, scope="col") for name in headings), role="row"))
    # The roles: where there is little room the rows are shown as blocks, and would no longer count as a table's.
    body = element("tbody", *map(_open_upgrade, found.open), role="rowgroup")
    more = found.open_count - len(found.open)
    rest = (
        f" The first {number(len(found.open))} by customer id; {number(more)} more are in the CSV export."
        if more
        else ""
    )
    finding = f"{counted(found.open_count, 'upgrade')} without a completed result: the last result of each.{rest}"
    table = element("table", head, body, class_="open", role="table")
    return _section("Customers not fully upgraded", finding, table, kind="long")


def _open_upgrade(result: UpgradeResult) -> Html:
    name, colour, _ = STATUSES[result.status]
    request = element("span", f"{result.product_family} · request {result.request_id}", class_="small")
    ended = element("span", f"{figures.instant(result.finished_at)} UTC", class_="small")
    why = reason_text(result)
    reason = (result.error_code, element("span", why, class_="small")) if result.error_code else (why,)
    return element(
        "tr",
        element("th", element("span", result.customer_id, class_="id"), request, scope="row", role="rowheader"),
        element("td", swatch(colour), name, ended, role="cell"),
        element("td", *reason, role="cell"),
        role="row",
    )


def _section(heading: str, finding: str, *content: Html, kind: str | None = None) -> Html:
    return element("section", element("h2", heading), element("p", finding, class_="finding"), *content, class_=kind)


def _beside(chart: Html, table: Html) -> Html:
    return element("div", chart, table, class_="beside")


def _named(name: str, meaning: str, colour: str = "") -> Html:
    return joined(
        (swatch(colour) if colour else Html(), name, element("span", meaning, class_="small") if meaning else Html())
    )


def swatch(colour: str) -> Html:
    return element("span", class_=f"swatch {colour}", aria_hidden="true")


def _table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> Html:
    """The first column names the row, the others are numbers."""
    first, *others = headings
    head = (element("th", first, scope="col"), *(element("th", name, scope="col", class_="number") for name in others))
    body = (
        element("tr", element("th", row[0], scope="row"), *(element("td", cell, class_="number") for cell in row[1:]))
        for row in rows
    )
    return element("table", element("thead", element("tr", *head)), element("tbody", *body))
