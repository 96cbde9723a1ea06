"""Invariant 2: at most one upgrade per request; no new MS-RequestId while the outcome of the former one is unknown.

"Partner Center REST headers": a call that is repeated with the same MS-RequestId has the effect of one; with another
one it is another call.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise

from local.ledger_calls import IN_PLACE_CODES, Call, calls_of, is_known_lost
from local.truth import Key, correlation_of, creation_problems
from tests.chaos.record import Record
from tests.chaos.violation import Violation

INVARIANT = 2


def check(record: Record) -> list[Violation]:
    keys = {correlation_of(sent.key): sent.key for sent in record.sent if sent.key}
    calls = defaultdict[str, list[Call]](list)
    for call in calls_of(record.ledger):
        calls[call.correlation_id].append(call)
    return [
        *(Violation(INVARIANT, text, key) for key, text in creation_problems(keys.values(), record.ledger)),
        *_of_nobody(calls, keys),
        *(
            Violation(INVARIANT, text, keys.get(correlation_id))
            for correlation_id, own in calls.items()
            for text in (*_new_ids(own), *_at_once(own))
        ),
    ]


def _of_nobody(calls: dict[str, list[Call]], keys: dict[str, Key]) -> Iterator[Violation]:
    for correlation_id, own in calls.items():
        if correlation_id not in keys and any(call.created for call in own):
            yield Violation(INVARIANT, f"an upgrade was created for {correlation_id!r}, which is no request")


def _new_ids(calls: list[Call]) -> Iterator[str]:
    """`calls`: all of one request, in the order of their start."""
    creates = [call for call in calls if call.kind == "create"]
    by_id = defaultdict[str, list[Call]](list)
    for call in creates:
        by_id[call.ms_request_id].append(call)
    for before, after in pairwise(creates):
        if before.ms_request_id == after.ms_request_id:
            continue
        if unknown := _unknown(by_id[before.ms_request_id], after.started_s, calls):
            yield f"{_name(after)} followed {_name(before)} with a new MS-RequestId, and {unknown}"


def _at_once(calls: list[Call]) -> Iterator[str]:
    """The lease lets one at a time make the create call. Calls that a client no longer waited for do not count."""
    waited_for = [call for call in calls if call.kind == "create" and call.seen]
    for before, after in pairwise(waited_for):
        # With different ids it is reported as such.
        if before.ms_request_id == after.ms_request_id and not before.ended_by(after.started_s):
            yield f"{_name(before)} and {_name(after)} were made at the same time"


def _unknown(same: list[Call], now_s: float, calls: Iterable[Call]) -> str | None:
    """Why the client could not know then what had become of its calls with one MS-RequestId; None where it could."""
    sent = [call for call in same if call.started_s < now_s]
    settled = max((call for call in sent if call.is_settling and call.ended_by(now_s)), key=_start, default=None)
    for call in sent:
        if settled and call.started_s <= settled.started_s:
            continue  # the answer to the same id is an answer to all of them
        if not (call.ended_by(now_s) and call.is_turned_away):
            return f"the outcome of {_name(call)} was unknown"
    if settled and not _is_over(settled, now_s, calls):
        return f"{_name(settled)} had led to an upgrade"
    return None


def _is_over(settled: Call, now_s: float, calls: Iterable[Call]) -> bool:
    """Whether another create call is right after this answer: it was a no, or what it led to is known to be lost."""
    ended_s = settled.ended_s or now_s
    if settled.is_accepted:
        return is_known_lost(calls, after_s=ended_s, before_s=now_s)
    if settled.code not in IN_PLACE_CODES:
        return True
    # What is in place is adopted, unless eligibility names nothing.
    told = (call for call in calls if call.kind == "eligibility" and call.is_accepted)
    return any(ended_s <= call.started_s and call.ended_by(now_s) for call in told)


def _start(call: Call) -> float:
    return call.started_s


def _name(call: Call) -> str:
    return f"call {call.sequence} ({call.ms_request_id[:8]}, {call.http or 'no answer'})"
