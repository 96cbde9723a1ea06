"""What the system talks about: request, row in flight, result, gate. All frozen, all instants aware UTC."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

# Names no upgrade of anybody's; it only gives our correlation ids a space of their own.
_CORRELATION = uuid.UUID("6f1f4b5e-5d0f-5c50-9f43-0f8c5b6b9d11")


class State(StrEnum):
    """Where a row in flight stands."""

    ACCEPTED = "Accepted"
    DEFERRED = "Deferred"
    IN_PROGRESS = "InProgress"
    WITHDRAWN = "Withdrawn"


class Status(StrEnum):
    """How a request ended. All but `DUPLICATE` are verdicts."""

    COMPLETED = "Completed"
    PARTIALLY_COMPLETED = "PartiallyCompleted"
    FAILED = "Failed"
    REJECTED = "Rejected"
    TIMED_OUT = "TimedOut"
    CANCELLED = "Cancelled"
    DUPLICATE = "Duplicate"


class Reason(StrEnum):
    """Why a row waits (`lastReason`)."""

    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    UNKNOWN_OUTCOME = "unknown_outcome"
    REFUSED_FOR_NOW = "refused_for_now"
    CREDENTIALS = "credentials"
    GATE = "gate"


class Position(StrEnum):
    """Of the gate: who may call now."""

    OPEN = "open"
    CLOSED = "closed"
    RECOVERING = "recovering"
    PAUSED = "paused"


class GateReason(StrEnum):
    """Why the gate is not open."""

    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    CREDENTIALS = "credentials"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class UpgradeRequest:
    """What arrived. `customer_id` in lower case, `product_family` in its canonical spelling."""

    customer_id: str
    product_family: str
    request_id: str
    requested_at: datetime

    @property
    def correlation_id(self) -> str:
        """The same for every delivery of a request, so that its log lines find each other."""
        return str(uuid.uuid5(_CORRELATION, f"{self.customer_id}|{self.product_family.lower()}|{self.request_id}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class InFlightUpgrade:
    """A row of `UpgradesInFlight`. The columns' meaning: docs/tables.md."""

    customer_id: str
    product_family: str
    request_id: str
    state: State
    next_attempt_at: datetime
    ms_request_id: str
    correlation_id: str
    outcome_unknown: bool
    requested_at: datetime
    claimed_at: datetime
    answered_ms_request_id: str | None = None
    submitted_at: datetime | None = None
    upgrade_id: str | None = None
    adopted: bool = False
    attempts: int = 0
    polls: int = 0
    refusals: int = 0
    refused_at: datetime | None = None
    refused_code: str | None = None
    denied_code: str | None = None
    setbacks: int = 0
    unauthorized: bool = False
    recreated: bool = False
    last_reason: Reason | None = None
    last_code: str | None = None
    last_description: str | None = None
    etag: str = ""

    @property
    def key(self) -> str:
        return f"{self.customer_id}|{self.product_family.lower()}"

    def answers(self, request: UpgradeRequest) -> bool:
        """Whether this row is that request's own (customer and family are the row's key)."""
        return self.request_id == request.request_id


@dataclass(frozen=True, slots=True, kw_only=True)
class CensusRow:
    """What a census reads of a row in flight."""

    state: State
    requested_at: datetime
    submitted_at: datetime | None = None
    last_reason: Reason | None = None
    etag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeResult:
    """A row of `UpgradeResults`. `line_items`: as the service sent them, texts cut."""

    customer_id: str
    product_family: str
    request_id: str
    status: Status
    requested_at: datetime
    finished_at: datetime
    correlation_id: str
    attempts: int = 0
    polls: int = 0
    duplicate_of: str | None = None
    upgrade_id: str | None = None
    adopted: bool = False
    claimed_at: datetime | None = None
    submitted_at: datetime | None = None
    server_status: str | None = None
    error_code: str | None = None
    error_description: str | None = None
    line_items: tuple[Mapping[str, Any], ...] = ()
    line_items_omitted: int = 0
    ms_request_id: str | None = None
    etag: str = ""

    @property
    def is_verdict(self) -> bool:
        return self.status is not Status.DUPLICATE


@dataclass(frozen=True, slots=True, kw_only=True)
class GateState:
    """The row of `UpgradeControl`. An empty `etag`: there is no row, which means open."""

    position: Position = Position.OPEN
    reason: GateReason | None = None
    detail: str | None = None
    until_at: datetime | None = None
    changed_at: datetime | None = None
    closures: int = 0
    closed_by: str | None = None
    etag: str = ""
