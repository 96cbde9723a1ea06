"""The use cases with the real client against a running fake Partner Center; tables, clock and tokens in memory."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import requests

from shared import transport
from shared.models import GateState, InFlightUpgrade, Position, UpgradeResult
from shared.partner_center import PartnerCenterClient
from shared.polling import touch
from shared.tick import Poller
from shared.upgrades import claim, submit_claimed
from tests.contract.fake_partner_center import Partner
from tests.fakes import FAMILY, FakeClock, FakeTokens, World, request, settings

TIMEOUTS = transport.Timeouts(connect_s=2, read_s=5, total_s=60)


@dataclass
class Tokens(FakeTokens):
    """`tick.Tokens` and `partner_center.TokenSource`: what an exchange leads to is kept until it is dropped."""

    access_token: str = ""
    is_kept: bool = False

    def get_token(self) -> str:
        if not self.is_kept:
            super().get_token()
            self.is_kept = True
        return self.access_token

    def drop_token(self, token: str | None = None) -> None:
        super().drop_token()
        self.is_kept = False

    def renew_if_due(self) -> None:
        """Its schedule is another test's business."""


class UseCases:
    """CreateUpgrade and PollUpgrade in one process. No randomness: every delay is its shortest."""

    def __init__(self, partner: Partner, session: requests.Session, **changed: Any) -> None:
        self.partner = partner
        self.clock = FakeClock(datetime.now(UTC))  # the fake's own time is the machine's
        self.tokens = Tokens(access_token=partner.authorization.removeprefix("Bearer "))
        self.world = World(clock=self.clock, settings=settings(**changed), new_id=lambda: str(uuid4()))
        client = PartnerCenterClient(
            session=session,
            tokens=self.tokens,
            base_url=partner.facts["api_url"],
            timeouts=TIMEOUTS,
            clock=self.clock,
            new_id=self.world.new_id,
        )
        self.ports = self.world.new_ports(partner_center=client)
        self.poller = Poller(self.ports, self.tokens)

    @property
    def gate(self) -> GateState:
        return self.world.store.gate

    def play(self, customer_id: str, **scenario: Any) -> None:
        """The customer's calls follow another scenario from now on."""
        self.partner.control("PUT", "scenarios", {customer_id: scenario})

    def submit(self, *customer_ids: str) -> None:
        """What CreateUpgrade does with a request of each customer."""
        for customer_id in customer_ids:
            lease = claim(self.ports, request(customer_id=customer_id, at=self.clock.now()))
            if lease:
                submit_claimed(self.ports, lease)

    def defer(self, customer_id: str) -> None:
        """A request that came in while the gate was paused, which it is no longer."""
        store = self.world.store
        before, store.gate = store.gate, GateState(position=Position.PAUSED, etag="paused")
        claim(self.world.new_ports(), request(customer_id=customer_id, at=self.clock.now()))
        store.gate = before

    def accepted(self, customer_id: str) -> InFlightUpgrade:
        """The customer's row, whose upgrade was accepted and whose status call is due."""
        self.submit(customer_id)
        row = self.row(customer_id)
        assert row.upgrade_id
        self.wait_until(row.next_attempt_at)
        return row

    def touch(self, customer_id: str) -> None:
        """What PollUpgrade does with this row alone, when it is due."""
        row = self.row(customer_id)
        self.wait_until(row.next_attempt_at)
        touch(self.ports, row)

    def tick(self) -> None:
        self.poller.tick()

    def tick_past_gate(self) -> None:
        """The first tick after the gate's time."""
        assert self.gate.until_at
        self.wait_until(self.gate.until_at)
        self.tick()

    def tick_when_due(self, customer_id: str) -> None:
        """The first tick that looks at the customer's row."""
        self.wait_until(self.row(customer_id).next_attempt_at)
        self.tick()

    def wait_until(self, at: datetime) -> None:
        self.clock.advance(max(0.0, (at - self.clock.now()).total_seconds()))

    def from_now(self, wait_s: float) -> datetime:
        return self.clock.now() + timedelta(seconds=wait_s)

    def row(self, customer_id: str) -> InFlightUpgrade:
        row = self.world.store.get_in_flight(customer_id, FAMILY)
        assert row
        return row

    def result(self, customer_id: str) -> UpgradeResult | None:
        return self.world.store.get_result(customer_id, FAMILY, "r1")

    def ended(self, customer_id: str) -> UpgradeResult:
        result = self.result(customer_id)
        assert result
        return result

    def calls(self, customer_id: str) -> list[str]:
        """The kinds of the customer's calls that reached the fake."""
        calls, _ = self.partner.ledger(customer_id)
        return [str(call["kind"]) for call in calls]

    def true_upgrade_ids(self, customer_id: str) -> list[str]:
        _, upgrades = self.partner.ledger(customer_id)
        return [str(upgrade["id"]) for upgrade in upgrades]
