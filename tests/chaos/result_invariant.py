"""Invariant 1: every request has exactly one result, a true one; every other body is a dead letter as it was sent."""

from collections import defaultdict
from collections.abc import Iterator

from local.truth import Key, key_of, result_problems, verdict_of
from shared.entities import result_key
from shared.models import Status, UpgradeResult
from shared.upgrade_store import RESULTS
from tests.chaos.record import Record, Sent, Write
from tests.chaos.violation import Violation, at_most

INVARIANT = 1
# From the moment a message is sent, whoever gets it may be about to write what it has read already.
TOLERANCE_S = 1.0
_MOST_BODIES, _BODY_CHARACTERS = 10, 60


def check(record: Record) -> list[Violation]:
    expected = {sent.key: None for sent in record.sent if sent.key}
    problems = result_problems(expected, record.results, record.ledger)
    return [
        *(Violation(INVARIANT, text, key) for key, text in problems),
        *_written_over(record),
        *_late_duplicates(record),
        *at_most(_MOST_BODIES, _dead_letters(record)),
    ]


def _written_over(record: Record) -> Iterator[Violation]:
    """A verdict is written once; only a duplicate gives way, and nothing is ever deleted."""
    keys = {result_key(result): key_of(result) for result in record.results}
    for row_key, writes in _result_writes(record).items():
        status: str | None = None
        for write in writes:
            if write.kind == "delete" or status not in (None, Status.DUPLICATE):
                text = f"the result {status} was followed by another {write.kind} of {write.writer}"
                yield Violation(INVARIANT, text, keys.get(row_key))
            status = write.fields.get("status")


def _late_duplicates(record: Record) -> Iterator[Violation]:
    """A request that came after the end of another one is answered by it only where that is `Completed`."""
    results = {key_of(result): result for result in record.results}
    first = _first_messages(record)
    writes = _result_writes(record)
    for key, result in results.items():
        verdict = verdict_of(result, results)
        if verdict is None or verdict is result or verdict.status is Status.COMPLETED or key not in first:
            continue
        late_s = first[key].at_s - _final_s(verdict, writes[result_key(verdict)])
        # Who has seen the result before sending knows that it was final.
        if late_s > (0 if first[key].follows else TOLERANCE_S):
            text = f"a duplicate of {verdict.request_id}, which had ended as {verdict.status} {late_s:.2f} s before"
            yield Violation(INVARIANT, text, key)


def _final_s(verdict: UpgradeResult, writes: list[Write]) -> float:
    """When everybody could read it: an outage may lie between the decision and the write."""
    written = (write.answered_s for write in writes if write.fields.get("status") == verdict.status)
    return max(verdict.finished_at.timestamp(), next(written, 0.0))


def _first_messages(record: Record) -> dict[Key, Sent]:
    first: dict[Key, Sent] = {}
    for sent in sorted(record.sent, key=lambda sent: sent.at_s):
        if sent.key:
            first.setdefault(sent.key, sent)
    return first


def _result_writes(record: Record) -> defaultdict[tuple[str, str], list[Write]]:
    """By row, in their order."""
    rows = defaultdict[tuple[str, str], list[Write]](list)
    for write in sorted(record.writes, key=lambda write: write.answered_s):
        if write.table == RESULTS:
            rows[write.key].append(write)
    return rows


def _dead_letters(record: Record) -> Iterator[Violation]:
    """Each message by its id: one whose sending failed may have come in all the same, so it may be there twice."""
    wanted = {(sent.message_id, sent.body): None for sent in record.sent if sent.key is None}
    found = dict.fromkeys(record.dead)
    requests = {sent.message_id: sent.key for sent in record.sent if sent.key}
    for message_id, body in wanted:
        if (message_id, body) not in found:
            yield Violation(INVARIANT, f"a dead letter is missing: {_shown(body)}")
    for message_id, body in found:
        if (message_id, body) not in wanted:
            text = f"a dead letter that is none of the bodies that were sent as no request: {_shown(body)}"
            yield Violation(INVARIANT, text, requests.get(message_id))


def _shown(body: bytes) -> str:
    return f"{body[:_BODY_CHARACTERS]!r}, {len(body)} bytes"
