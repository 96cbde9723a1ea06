"""The real client of Partner Center against a running fake, call by call."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import requests

from shared import errors, transport
from shared.answers import CreatedUpgrade
from shared.models import InFlightUpgrade
from shared.partner_center import PartnerCenterClient
from tests.contract.fake_partner_center import Partner
from tests.fakes import FakeClock
from tests.unit import rows

TIMEOUTS = transport.Timeouts(connect_s=2, read_s=3, total_s=5)
SHORT_TIMEOUTS = transport.Timeouts(connect_s=1, read_s=0.3, total_s=0.5)


class Tokens:
    """One access token. `takes_s`: how long it takes to get it."""

    def __init__(self, clock: FakeClock, token: str) -> None:
        self.clock, self.token = clock, token
        self.takes_s = 0.0
        self.dropped: list[str] = []

    def get_token(self) -> str:
        self.clock.advance(self.takes_s)
        return self.token

    def drop_token(self, token: str) -> None:
        self.dropped.append(token)


class Caller:
    """A client, and what reached the service that it calls: the fake, unless it is another `url`."""

    def __init__(
        self,
        partner: Partner,
        session: requests.Session,
        *,
        token: str | None = None,
        url: str | None = None,
        timeouts: transport.Timeouts = TIMEOUTS,
    ) -> None:
        self.partner = partner
        self.session = session
        self.timeouts = timeouts
        self.clock = FakeClock(datetime.now(UTC))
        self.tokens = Tokens(self.clock, token or partner.authorization.removeprefix("Bearer "))
        self.client = PartnerCenterClient(
            session=session,
            tokens=self.tokens,
            base_url=url or partner.facts["api_url"],
            timeouts=timeouts,
            clock=self.clock,
            new_id=lambda: str(uuid4()),
        )

    def in_haste(self) -> "Caller":
        """The same, but that it soon gives up."""
        return Caller(self.partner, self.session, timeouts=SHORT_TIMEOUTS)

    def row(self, scenario: object = None) -> InFlightUpgrade:
        """Of a new customer. `scenario`: the name of one, or a scenario."""
        customer_id = self.partner.customer(scenario)
        return rows.in_flight(customer_id=customer_id, ms_request_id=str(uuid4()), correlation_id=str(uuid4()))

    def create(self, row: InFlightUpgrade, *, lease_s: float = 60) -> CreatedUpgrade:
        return self.client.create_upgrade(row, lease_ends=self.clock.monotonic() + lease_s)

    def refused(self, row: InFlightUpgrade) -> errors.CallFailed:
        with pytest.raises(errors.CallFailed) as refused:
            self.create(row)
        return refused.value

    def calls(self, row: InFlightUpgrade) -> list[Mapping[str, Any]]:
        return self.partner.ledger(row.customer_id)[0]

    def kinds(self, row: InFlightUpgrade) -> list[str]:
        return [call["kind"] for call in self.calls(row)]

    def upgrade_ids(self, row: InFlightUpgrade) -> list[str]:
        return [upgrade["id"] for upgrade in self.partner.ledger(row.customer_id)[1]]
