"""The life of one request as a Record has seen it, line by line: what a violation's report shows."""

from collections.abc import Callable, Iterator

from local.ledger_calls import Call, calls_of
from local.truth import Key, correlation_of
from shared.entities import escaped
from shared.upgrade_store import CONTROL, IN_FLIGHT, RESULTS
from tests.chaos.record import Record, Write

type _Event = tuple[float, str]
_ROW_COLUMNS = (
    *("state", "status", "duplicateOf", "outcomeUnknown", "upgradeId", "adopted", "recreated", "attempts", "polls"),
    *("lastReason", "lastCode", "errorCode", "nextAttemptAt", "msRequestId"),
)
_GATE_COLUMNS = ("position", "reason", "untilAt", "closures")
_ID_CHARACTERS = 8


def history(record: Record, key: Key) -> list[str]:
    """In the order of time, in seconds since the first line."""
    events = [*_messages(record, key), *_row_writes(record, key), *_result_writes(record, key), *_calls(record, key)]
    if not events:
        return []
    first_s, last_s = min(events)[0], max(events)[0]
    events += [event for event in _gate_changes(record) if first_s <= event[0] <= last_s]
    return [f"{at_s - first_s:9.3f}  {text}" for at_s, text in sorted(events)]


def _messages(record: Record, key: Key) -> Iterator[_Event]:
    for sent in record.sent:
        if sent.key == key:
            follows = f" after the result of {sent.follows[2]}" if sent.follows else ""
            yield sent.at_s, f"message {sent.message_id} sent{follows}"


def _row_writes(record: Record, key: Key) -> Iterator[_Event]:
    """Of a deletion the row before tells whose it was."""
    customer_id, family, request_id = key
    row_key, owner = f"{customer_id}|{family}", None
    for write in sorted(record.writes, key=lambda write: write.answered_s):
        if write.table == IN_FLIGHT and write.key[1] == row_key:
            owner = write.fields.get("requestId", owner)
            if owner == request_id:
                yield write.answered_s, _written(write, "row", _ROW_COLUMNS)


def _result_writes(record: Record, key: Key) -> Iterator[_Event]:
    customer_id, family, request_id = key
    row = customer_id, f"{family}|{escaped(request_id)}"
    for write in record.writes:
        if write.table == RESULTS and write.key == row:
            yield write.answered_s, _written(write, "result", _ROW_COLUMNS)


def _calls(record: Record, key: Key) -> Iterator[_Event]:
    correlation_id = correlation_of(key)
    for call in calls_of(record.ledger):
        if call.correlation_id == correlation_id:
            yield call.started_s, _called(call)


def _called(call: Call) -> str:
    answer = f"{call.http or 'no answer'}{f' {call.code}' if call.code else ''}"
    after = "" if call.ended_s is None else f" after {call.ended_s - call.started_s:.3f} s"
    upgrade = f", {'created ' if call.created else ''}{call.upgrade_id[:_ID_CHARACTERS]}" if call.upgrade_id else ""
    seen = "" if call.seen else ", not seen"
    return f"{call.kind} call {call.sequence} {call.ms_request_id[:_ID_CHARACTERS]}: {answer}{after}{upgrade}{seen}"


def _gate_changes(record: Record) -> Iterator[_Event]:
    for write in record.writes:
        if write.table == CONTROL:
            yield write.answered_s, _written(write, "gate", _GATE_COLUMNS)


def _written(write: Write, what: str, names: tuple[str, ...]) -> str:
    shown = [f"{name}={_short(name, write.fields[name])}" for name in names if name in write.fields]
    return " ".join([f"{write.writer} {write.kind} {what}", *shown])


def _short(name: str, value: object) -> str:
    shortened: dict[str, Callable[[str], str]] = {
        "msRequestId": lambda text: text[:_ID_CHARACTERS],
        "upgradeId": lambda text: text[:_ID_CHARACTERS],
        "nextAttemptAt": lambda text: text.partition("T")[2],
        "untilAt": lambda text: text.partition("T")[2],
    }
    return shortened.get(name, str)(str(value))
