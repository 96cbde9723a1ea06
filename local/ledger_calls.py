"""The calls in the fake Partner Center's ledger, by what their client can have learnt from each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

# "Partner Center REST API error codes": refusals of our own access, given before the service looks at the request,
# and those that say that an upgrade is there already.
ACCESS_CODES = frozenset({"2032", "900150", "900308", "900309", "900329", "900421"})
IN_PLACE_CODES = frozenset({"900109", "900110", "900111"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """`http`: None where no whole answer was sent. `ended_s`: None where the fake was killed meanwhile.

    `seen`: the client could have seen the answer. `code`: of the service's own form of an error.
    """

    sequence: int
    kind: str
    correlation_id: str
    ms_request_id: str
    upgrade_id: str | None
    created: bool
    started_s: float
    ended_s: float | None
    http: int | None
    code: str | None
    seen: bool

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any]) -> Self:
        return cls(
            sequence=entry["sequence"],
            kind=entry["kind"],
            correlation_id=entry["correlationId"] or "",
            ms_request_id=entry["msRequestId"] or "",
            upgrade_id=entry["upgradeId"],
            created=entry["created"],
            started_s=entry["startedS"],
            ended_s=entry["endedS"],
            http=entry["http"] if isinstance(entry["http"], int) else None,
            code=None if entry["code"] is None else str(entry["code"]),
            seen=entry["seen"],
        )

    @property
    def is_accepted(self) -> bool:
        return self.seen and self.http is not None and 200 <= self.http < 300

    @property
    def is_refused(self) -> bool:
        """The service itself said no. Something in between has no code."""
        return self.seen and self.http is not None and 400 <= self.http < 500 and self.http != 429 and bool(self.code)

    @property
    def is_turned_away(self) -> bool:
        """Throttled, or refused for who we are: nothing came of this call, and of earlier ones nothing is said."""
        return self.seen and (self.http in (401, 429) or (self.is_refused and self.code in ACCESS_CODES))

    @property
    def is_settling(self) -> bool:
        """An answer to the request itself, and so to every earlier call with the same MS-RequestId."""
        return self.is_accepted or (self.is_refused and not self.is_turned_away)

    def ended_by(self, at_s: float) -> bool:
        return self.ended_s is not None and self.ended_s <= at_s


def calls_of(ledger: Mapping[str, Any]) -> list[Call]:
    """In the order in which they started."""
    calls = [Call.from_entry(entry) for entry in ledger["calls"]]
    return sorted(calls, key=lambda call: (call.started_s, call.sequence))


def is_known_lost(calls: Iterable[Call], *, after_s: float, before_s: float) -> bool:
    """Whether a request's status call was refused in between, and after that eligibility was told."""
    refused_s = None
    for call in calls:
        if call.started_s < after_s or not call.ended_by(before_s):
            continue
        if call.kind == "status" and call.is_refused and refused_s is None:
            refused_s = call.ended_s
        elif call.kind == "eligibility" and call.is_accepted and refused_s is not None:
            return True
    return False
