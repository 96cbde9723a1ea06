"""What the use cases need of the outside: small protocols, met by the adapters and by the tests' fakes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.answers import CreatedUpgrade, Eligibility, UpgradeStatus
from shared.clock import Clock
from shared.gate import Gate
from shared.models import CensusRow, InFlightUpgrade, UpgradeResult
from shared.settings import Settings


class UpgradeStore(Protocol):
    """The tables. Writes of existing rows are conditional on their etag.

    `insert_*` raise RowExists, `update_*` RowChanged, `delete_*` RowChanged (a row that is gone counts as deleted);
    all raise StoreUnavailable. What is written comes back with its new etag.
    """

    def insert_in_flight(self, row: InFlightUpgrade) -> InFlightUpgrade: ...
    def get_in_flight(self, customer_id: str, product_family: str) -> InFlightUpgrade | None: ...
    def update_in_flight(self, row: InFlightUpgrade) -> InFlightUpgrade: ...
    def delete_in_flight(self, row: InFlightUpgrade) -> None: ...
    def list_due(self, now: datetime) -> list[InFlightUpgrade]: ...
    def list_in_flight(self) -> Iterable[InFlightUpgrade]: ...
    def list_census(self) -> Iterable[CensusRow]: ...
    def insert_result(self, result: UpgradeResult) -> UpgradeResult: ...
    def get_result(self, customer_id: str, product_family: str, request_id: str) -> UpgradeResult | None: ...
    def update_result(self, result: UpgradeResult) -> UpgradeResult: ...
    def list_results(self, customer_id: str, product_family: str) -> list[UpgradeResult]: ...


# Asked just before a call leaves: False holds it back.
type MaySend = Callable[[], bool]


class PartnerCenter(Protocol):
    """The calls; see partner_center.PartnerCenterClient."""

    def create_upgrade(self, row: InFlightUpgrade, *, lease_ends: float, may_send: MaySend) -> CreatedUpgrade: ...
    def get_status(self, row: InFlightUpgrade, upgrade_id: str, *, may_send: MaySend) -> UpgradeStatus: ...
    def get_eligibility(self, row: InFlightUpgrade, *, may_send: MaySend) -> Eligibility: ...


@dataclass(frozen=True, kw_only=True)
class Ports:
    """What the use cases work with. `random`: in [0, 1). `new_id`: a new GUID."""

    store: UpgradeStore
    partner_center: PartnerCenter
    gate: Gate
    clock: Clock
    settings: Settings
    random: Callable[[], float]
    new_id: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to submit. `ends`: Clock.monotonic. `unknown_before`: an earlier create call may have gone through.

    `direct`: right after the claim, which only an open gate allows.
    """

    row: InFlightUpgrade
    ends: float
    unknown_before: bool
    direct: bool = False
