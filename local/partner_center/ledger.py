"""The truth about every call, for tests to compare with: append-only, numbered in the order in which calls ended."""

from datetime import UTC, datetime
from typing import Any

from local.partner_center.calls import Call, Subject
from local.partner_center.journal import Event, Journal
from local.partner_center.replies import ErrorCode, Reply

type Entry = dict[str, Any]

CUT = "cut"
NONE = "none"


def iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Ledger:
    """Every call, and every token request.

    An entry's `http` is the status of a whole answer, `cut` (it broke off, or never ended) or `none` (the client had
    gone, or the fake was killed); `seen` says whether the client could have seen the whole answer.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._entries: list[Entry] = []
        self._open: dict[int, Entry] = {}
        self._arrivals = 0
        journal.on("arrived", self._apply_arrived)
        journal.on("created", self._apply_created)
        journal.on("ended", self._apply_ended)
        journal.on("token", self._append)

    @property
    def last(self) -> int:
        """The number of the last entry so far."""
        return len(self._entries)

    def since(self, sequence: int) -> dict[str, Any]:
        """The entries with a higher number than `sequence`."""
        with self._journal.lock:
            entries = self._entries[max(sequence, 0) :]
            last = self.last
        return {
            "sequence": last,
            "calls": [entry for entry in entries if entry["kind"] != "token"],
            "tokens": [entry for entry in entries if entry["kind"] == "token"],
        }

    def opened(self, call: Call, subject: Subject, now_s: float) -> int:
        """Notes that a call has arrived; returns what `ended` knows it by."""
        number = self._arrivals
        self._journal.record(
            "arrived",
            call=number,
            kind=call.kind,
            customerId=subject.customer_id,
            productFamily=subject.family,
            upgradeId=call.upgrade_id,
            msRequestId=call.ms_request_id,
            correlationId=call.headers.get("ms-correlationid"),
            startedAt=iso(now_s),
            startedS=now_s,
        )
        return number

    def ended(self, number: int, reply: Reply, now_s: float, *, client_gone: bool) -> None:
        broken = reply.cut or reply.stream is not None
        self._journal.record(
            "ended",
            call=number,
            endedAt=iso(now_s),
            endedS=now_s,
            http=CUT if broken else NONE if client_gone else reply.http,
            code=reply.code,
            seen=not broken and not client_gone,
            repeated=reply.repeated,
        )

    def token(self, now_s: float, *, grant: str, outcome: str, aadsts: ErrorCode | None = None) -> None:
        """Notes a call of the token endpoint; never the token."""
        outcomes = {"grant": grant, "outcome": outcome, "aadsts": aadsts}
        self._journal.record("token", kind="token", at=iso(now_s), atS=now_s, **outcomes)

    def end_interrupted(self) -> None:
        """After a restart: the calls that the last process left unanswered."""
        for number in list(self._open):
            unanswered = {"http": NONE, "code": None, "seen": False, "repeated": False}
            self._journal.record("ended", call=number, endedAt=None, endedS=None, **unanswered)

    def _apply_arrived(self, event: Event) -> None:
        self._arrivals = event["call"] + 1
        self._open[event["call"]] = {**event, "created": False}

    def _apply_created(self, event: Event) -> None:
        if event["call"] is not None:
            self._open[event["call"]] |= {"upgradeId": event["id"], "created": True}

    def _apply_ended(self, event: Event) -> None:
        self._append({**self._open.pop(event["call"]), **event})

    def _append(self, event: Event) -> None:
        self._entries.append({"sequence": len(self._entries) + 1, **event})
