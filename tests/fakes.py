"""Doubles that work: a clock that is moved by hand, tables in memory, and a Partner Center with a ground truth."""

import itertools
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from shared import errors
from shared.answers import CreatedUpgrade, Eligibility, UpgradeStatus
from shared.clock import Clock
from shared.errors import RowChanged, RowExists, StoreUnavailable
from shared.gate import Gate, GateStore
from shared.models import CensusRow, GateState, InFlightUpgrade, Status, UpgradeRequest, UpgradeResult
from shared.ports import MaySend, PartnerCenter, Ports, UpgradeStore
from shared.settings import Settings

CUSTOMER = "2f3e9a10-5b1c-4d6e-8f70-a1b2c3d4e5f6"
FAMILY = "Azure"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class FakeClock:
    """Stands still until it is told to move. `sleep` moves it."""

    def __init__(self, now: datetime = NOON) -> None:
        self._now = now
        self._monotonic = 1000.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def sleep(self, duration_s: float) -> None:
        self.slept.append(duration_s)
        self.advance(duration_s)

    def advance(self, duration_s: float) -> None:
        self._now += timedelta(seconds=duration_s)
        self._monotonic += duration_s

    def jump(self, duration_s: float) -> None:
        """The wall clock alone."""
        self._now += timedelta(seconds=duration_s)


class InMemoryStore:
    """`ports.UpgradeStore` and `gate.GateStore`, with the tables' semantics. `out`: nothing answers."""

    def __init__(self) -> None:
        self.in_flight: dict[str, InFlightUpgrade] = {}
        self.results: dict[tuple[str, str, str], UpgradeResult] = {}
        self.gate = GateState()
        self.out = False
        self._etags = itertools.count(1)

    def insert_in_flight(self, row: InFlightUpgrade) -> InFlightUpgrade:
        self._reach()
        if row.key in self.in_flight:
            raise RowExists
        return self._put_row(row)

    def get_in_flight(self, customer_id: str, product_family: str) -> InFlightUpgrade | None:
        self._reach()
        return self.in_flight.get(f"{customer_id}|{product_family.lower()}")

    def update_in_flight(self, row: InFlightUpgrade) -> InFlightUpgrade:
        self._reach()
        self._expect_row(row)
        return self._put_row(row)

    def delete_in_flight(self, row: InFlightUpgrade) -> None:
        self._reach()
        if row.key in self.in_flight:
            self._expect_row(row)
            del self.in_flight[row.key]

    def list_due(self, now: datetime) -> list[InFlightUpgrade]:
        self._reach()
        return [row for row in self.in_flight.values() if row.next_attempt_at <= now]

    def list_in_flight(self) -> Iterable[InFlightUpgrade]:
        self._reach()
        return list(self.in_flight.values())

    def list_census(self) -> Iterable[CensusRow]:
        return [
            CensusRow(
                state=row.state,
                requested_at=row.requested_at,
                submitted_at=row.submitted_at,
                last_reason=row.last_reason,
                etag=row.etag,
            )
            for row in self.list_in_flight()
        ]

    def insert_result(self, result: UpgradeResult) -> UpgradeResult:
        self._reach()
        if _result_key(result) in self.results:
            raise RowExists
        return self._put_result(result)

    def get_result(self, customer_id: str, product_family: str, request_id: str) -> UpgradeResult | None:
        self._reach()
        return self.results.get((customer_id, product_family.lower(), request_id))

    def update_result(self, result: UpgradeResult) -> UpgradeResult:
        self._reach()
        present = self.results.get(_result_key(result))
        if present is None or present.etag != result.etag:
            raise RowChanged
        return self._put_result(result)

    def list_results(self, customer_id: str, product_family: str) -> list[UpgradeResult]:
        self._reach()
        return [r for key, r in self.results.items() if key[:2] == (customer_id, product_family.lower())]

    def get_gate(self) -> GateState:
        self._reach()
        return self.gate

    def write_gate(self, state: GateState) -> GateState:
        self._reach()
        if state.etag != self.gate.etag:
            raise RowChanged if state.etag else RowExists
        self.gate = replace(state, etag=self._next_etag())
        return self.gate

    def _reach(self) -> None:
        if self.out:
            raise StoreUnavailable("the fake is out")

    def _expect_row(self, row: InFlightUpgrade) -> None:
        present = self.in_flight.get(row.key)
        if present is None or present.etag != row.etag:
            raise RowChanged

    def _put_row(self, row: InFlightUpgrade) -> InFlightUpgrade:
        self.in_flight[row.key] = replace(row, etag=self._next_etag())
        return self.in_flight[row.key]

    def _put_result(self, result: UpgradeResult) -> UpgradeResult:
        stored = self.results[_result_key(result)] = replace(result, etag=self._next_etag())
        return stored

    def _next_etag(self) -> str:
        return f"etag-{next(self._etags)}"


def _result_key(result: UpgradeResult) -> tuple[str, str, str]:
    return result.customer_id, result.product_family.lower(), result.request_id


@dataclass
class TrueUpgrade:
    """What really is. `vanished`: the service has lost it."""

    upgrade_id: str
    key: str
    request_id: str
    status: str = "InProgress"
    vanished: bool = False


@dataclass
class CreateCall:
    """One create call that reached the service."""

    key: str
    request_id: str
    ms_request_id: str


# What may become of a single call: processed; lost before or after that; or refused with an error.
type Fate = str | errors.CallFailed
# Given before the service looks at the MS-RequestId: such an answer tells nothing about an earlier call of that id.
UNLOOKED = errors.Throttled | errors.Unauthorized | errors.AccessDenied
PROCESSED, LOST_BEFORE, LOST_AFTER = "processed", "lost before", "lost after"


@dataclass
class FakePartnerCenter:
    """One upgrade per customer and family; MS-RequestId makes a create call idempotent. Fates are consumed in order."""

    clock: Clock
    call_deadline_s: float = 60
    upgrades: list[TrueUpgrade] = field(default_factory=list)
    creates: list[CreateCall] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    eligibilities: int = 0
    create_fates: deque[Fate] = field(default_factory=deque)
    status_fates: deque[Fate | UpgradeStatus] = field(default_factory=deque)
    eligibility_fates: deque[Fate] = field(default_factory=deque)
    answered: dict[str, CreatedUpgrade | errors.Refused] = field(default_factory=dict)
    unknown: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    violations: list[str] = field(default_factory=list)

    def create_upgrade(self, row: InFlightUpgrade, *, lease_ends: float, may_send: MaySend) -> CreatedUpgrade:
        if self.clock.monotonic() > lease_ends - self.call_deadline_s:
            raise errors.LeaseTooShort
        _check(may_send)
        fate = self.create_fates.popleft() if self.create_fates else PROCESSED
        if isinstance(fate, errors.NotSent):
            raise fate
        self._check_unknown(row)
        unknown_before = row.ms_request_id in self.unknown[row.key]
        self.creates.append(CreateCall(row.key, row.request_id, row.ms_request_id))
        self.unknown[row.key].add(row.ms_request_id)
        if fate == LOST_BEFORE or isinstance(fate, errors.OutcomeUnknown):
            raise fate if isinstance(fate, errors.OutcomeUnknown) else errors.OutcomeUnknown("lost")
        answer = self._process(row, fate)
        if fate == LOST_AFTER:
            raise errors.OutcomeUnknown("lost")
        if not (unknown_before and isinstance(fate, UNLOOKED)):
            self.unknown[row.key].discard(row.ms_request_id)
        if isinstance(answer, errors.CallFailed):
            raise answer
        return answer

    def get_status(self, row: InFlightUpgrade, upgrade_id: str, *, may_send: MaySend) -> UpgradeStatus:
        _check(may_send)
        self.statuses.append(upgrade_id)
        fate = self.status_fates.popleft() if self.status_fates else PROCESSED
        if isinstance(fate, UpgradeStatus):
            return fate
        if isinstance(fate, errors.CallFailed):
            raise fate
        found = next((u for u in self.upgrades if u.upgrade_id == upgrade_id and not u.vanished), None)
        if found is None:
            raise errors.UpgradeNotFound("no such upgrade", code="900106", http_status=404)
        ends = {"Completed": Status.COMPLETED, "Failed": Status.FAILED}
        return UpgradeStatus(server_status=found.status, end=ends.get(found.status))

    def get_eligibility(self, row: InFlightUpgrade, *, may_send: MaySend) -> Eligibility:
        _check(may_send)
        self.eligibilities += 1
        fate = self.eligibility_fates.popleft() if self.eligibility_fates else PROCESSED
        if isinstance(fate, errors.CallFailed):
            raise fate
        live = self.live(row.key)
        return Eligibility(is_eligible=live is None, upgrade_id=live.upgrade_id if live else None)

    def live(self, key: str) -> TrueUpgrade | None:
        """The upgrade that is in place."""
        return next((u for u in self.upgrades if u.key == key and u.status != "Failed" and not u.vanished), None)

    def _process(self, row: InFlightUpgrade, fate: Fate) -> CreatedUpgrade | errors.Refused:
        if isinstance(fate, UNLOOKED):
            return fate
        if row.ms_request_id in self.answered:
            return self.answered[row.ms_request_id]
        live = self.live(row.key)
        if live:
            answer: CreatedUpgrade | errors.Refused = CreatedUpgrade(live.upgrade_id, adopted=True)
        elif isinstance(fate, errors.Refused):
            answer = fate
        else:
            answer = CreatedUpgrade(self._create(row).upgrade_id)
        self.answered[row.ms_request_id] = answer
        return answer

    def _create(self, row: InFlightUpgrade) -> TrueUpgrade:
        own = [u for u in self.upgrades if (u.key, u.request_id) == (row.key, row.request_id) and not u.vanished]
        if own:
            self.violations.append(f"a second upgrade for {row.request_id}")
        upgrade = TrueUpgrade(f"00000000-0000-4000-8000-{len(self.upgrades):012d}", row.key, row.request_id)
        self.upgrades.append(upgrade)
        return upgrade

    def _check_unknown(self, row: InFlightUpgrade) -> None:
        if self.unknown[row.key] - {row.ms_request_id}:
            self.violations.append(f"a new MS-RequestId for {row.request_id} while an outcome is unknown")


def _check(may_send: MaySend) -> None:
    if not may_send():
        raise errors.HeldBack


def settings(**changed: object) -> Settings:
    required: dict[str, object] = {
        "partner_tenant_id": "11111111-1111-4111-8111-111111111111",
        "partner_client_id": "22222222-2222-4222-8222-222222222222",
        "key_vault_url": "https://vault.invalid",
        "tables_url": "https://tables.invalid",
    }
    return Settings(**(required | changed))  # type: ignore[arg-type]


def guids() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"aaaaaaaa-0000-4000-8000-{next(numbers):012d}"


def request(request_id: str = "r1", *, customer_id: str = CUSTOMER, at: datetime = NOON) -> UpgradeRequest:
    return UpgradeRequest(customer_id, FAMILY, request_id, at)


@dataclass
class FakeTokens:
    """`tick.Tokens`. `error`: what an exchange ends with."""

    error: errors.NotSent | None = None
    sign_in: str | None = "version-1"
    refresh_token_age_d: float | None = 1.5
    exchanges: int = 0
    renewals: int = 0
    dropped: int = 0

    def get_token(self) -> str:
        self.exchanges += 1
        if self.error:
            raise self.error
        return "token"

    def drop_token(self) -> None:
        self.dropped += 1

    def renew_if_due(self) -> None:
        self.renewals += 1
        if self.error:
            raise self.error


@dataclass
class World:
    """Everything that a use case needs, in memory."""

    clock: FakeClock = field(default_factory=FakeClock)
    store: InMemoryStore = field(default_factory=InMemoryStore)
    settings: Settings = field(default_factory=settings)
    new_id: Callable[[], str] = field(default_factory=guids)
    partner_center: FakePartnerCenter = field(init=False)
    ports: Ports = field(init=False)

    def __post_init__(self) -> None:
        self.partner_center = FakePartnerCenter(self.clock, self.settings.call_deadline_s)
        self.ports = self.new_ports()

    def new_ports(
        self,
        *,
        store: UpgradeStore | None = None,
        gate_store: GateStore | None = None,
        partner_center: PartnerCenter | None = None,
    ) -> Ports:
        """As another process would have them: the same tables and service, a gate of its own."""
        return Ports(
            store=store or self.store,
            partner_center=partner_center or self.partner_center,
            gate=Gate(gate_store or self.store, self.clock, self.settings, lambda: 0.0),
            clock=self.clock,
            settings=self.settings,
            random=lambda: 0.0,
            new_id=self.new_id,
        )

    @property
    def row(self) -> InFlightUpgrade:
        """The only row in flight."""
        (row,) = self.store.in_flight.values()
        return row

    def result(self, request_id: str = "r1") -> UpgradeResult:
        """The only result of that request."""
        (result,) = [r for r in self.store.results.values() if r.request_id == request_id]
        return result
