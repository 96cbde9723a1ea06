"""`make demo`: a file of requests through the local cloud, and whether what came out is true.

usage: python -m local.demo [REQUESTS.jsonl | REQUESTS.csv]
"""

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from local.cloud import Cloud, environment, running
from local.component import REPOSITORY
from local.observer import Look, Observer, observing
from local.requests_file import Outgoing, read
from local.truth import key_of, violations
from shared.errors import InvalidRequest, RowChanged
from shared.messages import Message, parse
from shared.models import State, Status, UpgradeRequest
from shared.upgrades import may_be_withdrawn

EXAMPLES = REPOSITORY / "examples"
TIME_LIMIT_S = 150
WIDE = 184  # columns that show every id whole
STYLES = {Status.COMPLETED: "green", Status.DUPLICATE: "dim", Status.PARTIALLY_COMPLETED: "yellow"}


@dataclass(frozen=True)
class Sent:
    """What was sent: the distinct requests, and the bodies that are none, each with the reason."""

    requests: list[UpgradeRequest]
    invalid: list[tuple[bytes, str]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    parser.add_argument("requests", nargs="?", type=Path, default=EXAMPLES / "requests.jsonl")
    path = parser.parse_args().requests
    if not path.is_file():
        sys.exit(f"{path} is not a file: name a .jsonl or .csv file of requests")
    console = Console() if sys.stdout.isatty() else Console(width=WIDE)
    began = time.monotonic()
    messages = read(path)
    sent = _expected(messages)
    cloud = Cloud(REPOSITORY / ".local" / "demo")
    console.print(f"Starting the local cloud for {len(messages)} messages of {path.name} ...", highlight=False)
    with running(cloud, fresh=True), environment(cloud.client_environment):
        cloud.start_functions()
        look, wrong = _run(cloud, console, messages, sent)
    _show(console, look, sent)
    for problem in wrong:
        console.print(f"[red]wrong[/] {problem}", highlight=False)
    verdict = f"[red]{len(wrong)} wrong[/]" if wrong else "[green]every result is the true one[/]"
    console.print(f"{len(sent.requests)} requests, {len(sent.invalid)} invalid messages: {verdict}", highlight=False)
    console.print(f"{time.monotonic() - began:.1f} s; logs in {cloud.folder.relative_to(REPOSITORY)}/logs")
    sys.exit(bool(wrong))


def _run(cloud: Cloud, console: Console, messages: list[Outgoing], sent: Sent) -> tuple[Look, list[str]]:
    """Sends, waits until everything has ended, and judges."""
    examples = json.loads((EXAMPLES / "scenarios.json").read_text())
    cloud.fake("PUT", "scenarios", examples["scenarios"])
    with observing(cloud) as observer, _progress(console) as progress:
        task = progress.add_task("", total=len(sent.requests) + len(sent.invalid), words="")
        observer.send(messages)
        ends = time.monotonic() + TIME_LIMIT_S
        while True:
            look = observer.look()
            progress.update(task, completed=len(look.results) + len(look.dead), words=_counts(look))
            if _is_over(look, sent) or time.monotonic() > ends:
                return look, _judge(look, sent, cloud)
            _withdraw(observer, look, set(examples["withdrawn"]))
            cloud.restart_dead_functions()
            time.sleep(0.3)


def _progress(console: Console) -> Progress:
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[words]}"), TimeElapsedColumn())
    return Progress(*columns, console=console)


def _counts(look: Look) -> str:
    counts = Counter(result.status.value for result in look.results)
    return " · ".join(f"{count} {status}" for status, count in sorted(counts.items()))


def _withdraw(observer: Observer, look: Look, customers: set[str]) -> None:
    """What an operator does who wants a waiting request back: one conditional write."""
    for row in look.in_flight:
        if row.customer_id in customers and may_be_withdrawn(row):
            try:
                observer.store.update_in_flight(replace(row, state=State.WITHDRAWN, next_attempt_at=datetime.now(UTC)))
            except RowChanged:
                continue  # the poller was faster; the next look tries again


def _expected(messages: list[Outgoing]) -> Sent:
    """By the contract: parsing is pure, so the sender knows as well as the function what is a request."""
    requests: dict[object, UpgradeRequest] = {}
    invalid = []
    for outgoing in messages:
        message = Message(outgoing.body, outgoing.message_id, 0, datetime.now(UTC))
        try:
            request = parse(message, ("Azure",))
        except InvalidRequest as error:
            invalid.append((outgoing.body, str(error)))
        else:
            requests[key_of(request)] = request
    return Sent(list(requests.values()), invalid)


def _is_over(look: Look, sent: Sent) -> bool:
    ended = len(look.results) >= len(sent.requests) and len(look.dead) >= len(sent.invalid)
    return ended and not look.in_flight and not look.waiting


def _judge(look: Look, sent: Sent, cloud: Cloud) -> list[str]:
    wrong = violations(sent.requests, look.results, cloud.fake("GET", "ledger"))
    if Counter(look.dead) != Counter(body for body, _ in sent.invalid):
        wrong.append("the dead-letter queue does not hold exactly the invalid bodies, as they were sent")
    if look.in_flight or look.waiting:
        wrong.append(f"{len(look.in_flight)} rows are still in flight; messages wait: {look.waiting}")
    return wrong


def _show(console: Console, look: Look, sent: Sent) -> None:
    table = Table(title="UpgradeResults")
    for name in ("customer", "family", "request", "status", "upgrade id", "polls", "s", "error"):
        table.add_column(name, no_wrap=name != "error", overflow="fold")  # a status that is cut cannot be read
    for result in sorted(look.results, key=lambda result: (result.status, result.customer_id, result.request_id)):
        duration_s = (result.finished_at - result.requested_at).total_seconds()
        table.add_row(
            _fitting(console, result.customer_id),
            result.product_family,
            result.request_id if len(result.request_id) <= 30 else f"{result.request_id[:8]}…",
            f"[{STYLES.get(result.status, 'red')}]{result.status}[/]",
            _fitting(console, result.upgrade_id or ""),
            str(result.polls),
            f"{duration_s:.1f}",
            f"of {result.duplicate_of}" if result.duplicate_of else result.error_code,
        )
    console.print(table)
    reasons = dict(sent.invalid)
    dead = Table("body", "reason", title="Dead-letter queue")
    for body in look.dead:
        dead.add_row(ascii(body[:70].decode(errors="replace")), reasons.get(body, "not known"))
    console.print(dead)


def _fitting(console: Console, guid: str) -> str:
    """Whole where there is room."""
    return guid if console.width >= WIDE or not guid else f"{guid[:8]}…"


if __name__ == "__main__":
    main()
