"""The whole app over in-memory services and a clock that is moved by hand: a week passes in seconds."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import azure.functions as func
import pytest

import CreateUpgrade
import PollUpgrade
from shared import wiring
from shared.credentials import Credentials, Secret, Version
from shared.errors import CallFailed, StoreUnavailable, TokenRefused
from shared.models import InFlightUpgrade
from shared.sign_in import SignIn, Tokens
from shared.tick import Poller
from tests.fakes import FakeClock, FakePartnerCenter, InMemoryStore, World, settings
from tests.operations.invocations import Invocations

MAX_DELIVERIES = 30


class Store(InMemoryStore):
    """Nothing answers before `is_out_until`."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock
        self.is_out_until = clock.now()

    def _reach(self) -> None:
        if self._clock.now() < self.is_out_until:
            raise StoreUnavailable("the fake is out")
        super()._reach()


@dataclass
class InMemoryVault:
    """`credentials.Vault`."""

    clock: FakeClock
    secrets: dict[str, list[Secret]] = field(default_factory=dict)

    def get_secret(self, name: str, version_id: str | None = None) -> Secret:
        found = [secret for secret in self.secrets.get(name, []) if version_id in (None, secret.version.id)]
        if not found:
            raise TokenRefused("not there", code=f"secret:{name}")
        return found[-1]

    def set_secret(self, name: str, value: str, *, by_app: bool = True) -> None:
        versions = self.secrets.setdefault(name, [])
        created_at = self.clock.now().replace(microsecond=0)
        versions.append(Secret(value, Version(f"version-{len(versions)}", created_at, by_app)))

    def list_versions(self, name: str) -> list[Version]:
        return [secret.version for secret in self.secrets.get(name, [])]


@dataclass
class Authority:
    """The token endpoint. `trouble`: what every exchange ends with."""

    trouble: CallFailed | None = None
    exchanges: int = 0

    def exchange(self, client_credential: str, refresh_token: str) -> Tokens:
        self.exchanges += 1
        if self.trouble:
            raise self.trouble
        return Tokens("access token", f"refresh token {self.exchanges}", lifetime_s=3600, amr=("mfa",))


@dataclass(kw_only=True)
class PartnerCenter(FakePartnerCenter):
    """Asks for a token before each call, as the real client does. `trouble`: what the calls for a row end with."""

    tokens: Credentials
    trouble: Callable[[InFlightUpgrade], Exception | None] = lambda row: None

    def create_upgrade(self, row: InFlightUpgrade, **given: Any) -> Any:
        self._meet(row)
        return super().create_upgrade(row, **given)

    def get_status(self, row: InFlightUpgrade, upgrade_id: str, **given: Any) -> Any:
        self._meet(row)
        return super().get_status(row, upgrade_id, **given)

    def _meet(self, row: InFlightUpgrade) -> None:
        self.tokens.get_token()
        if trouble := self.trouble(row):
            raise trouble


class Installation:
    """A deployment that somebody has just consented for. `settings_are_wrong`: the app cannot be built."""

    def __init__(self, clock: FakeClock, invocations: Invocations, patch: pytest.MonkeyPatch) -> None:
        self.settings_are_wrong = False
        self.clock, self.store, self.authority = clock, Store(clock), Authority()
        # One call at a time, so that a call may take its time: the clock belongs to one thread at once.
        world = World(clock=clock, store=self.store, settings=settings(max_parallel_calls=1))
        self.settings, self.new_id, self._vault = world.settings, world.new_id, InMemoryVault(clock)
        self.consent()
        self._vault.set_secret(self.settings.client_secret_name, "client secret", by_app=False)
        self.tokens = Credentials(self._vault, cast(SignIn, self.authority), clock, self.settings)
        self.partner_center = PartnerCenter(clock=clock, tokens=self.tokens)
        self.ports = world.new_ports(partner_center=self.partner_center)
        self._app = wiring.App(self.ports, Poller(self.ports, self.tokens))
        self.invoke = invocations.invoke
        self._ends: dict[str, tuple[datetime, str]] = {}  # of the upgrades, by customer id
        build = wiring.app
        patch.setattr(wiring, "app", lambda: build() if self.settings_are_wrong else self._app)
        patch.setattr(CreateUpgrade, "time", clock)

    def lose_storage(self, minutes: float) -> None:
        self.store.is_out_until = self.clock.now() + timedelta(minutes=minutes)

    def consent(self) -> None:
        self._vault.set_secret(self.settings.refresh_token_secret_name, "refresh token", by_app=False)

    def ask(self, count: int = 1, *, request_id: str = "", ends: str = "Completed", after_h: float = 1) -> list[str]:
        """Requests of new customers; their ids. `ends`: what the upgrades come to, and after how long."""
        customers = [str(uuid.UUID(int=len(self._ends) + number)) for number in range(1, count + 1)]
        for customer in customers:
            self._ends[customer] = (self.clock.now() + timedelta(hours=after_h), ends)
            self.deliver(customerId=customer, productFamily="Azure", requestId=request_id + customer)
        return customers

    def deliver(self, **body: str) -> None:
        """A message: until it is accepted, or a dead letter."""
        message = SimpleNamespace(
            get_body=json.dumps(body).encode, message_id="m", sequence_number=1, enqueued_time_utc=self.clock.now()
        )
        for delivery_count in range(1, MAX_DELIVERIES + 1):
            message.delivery_count = delivery_count
            if self.invoke("CreateUpgrade", lambda: CreateUpgrade.main(cast(func.ServiceBusMessage, message))):
                return

    def tick(self) -> None:
        for upgrade in self.partner_center.upgrades:
            ends_at, status = self._ends[upgrade.key.partition("|")[0]]
            upgrade.status = status if ends_at <= self.clock.now() else upgrade.status
        self.invoke("PollUpgrade", lambda: PollUpgrade.main(cast(func.TimerRequest, None)))

    def run(self, hours: float, *, every_s: float = 60) -> None:
        """Time passes, with a tick every so many seconds."""
        until = self.clock.now() + timedelta(hours=hours)
        while self.clock.now() < until:
            self.clock.advance(every_s)
            self.tick()
