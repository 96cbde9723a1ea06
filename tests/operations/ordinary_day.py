"""A day that wakes nobody: with requests every hour, and with each of the troubles that the app gets over by itself."""

import io
from contextlib import suppress
from typing import Any

import requests
from requests.adapters import BaseAdapter

from shared import errors
from shared.partner_center import PartnerCenterClient
from shared.transport import Timeouts
from tests.operations.installation import Installation
from tests.unit import rows

FAILED_EVERY_H = 5


def tell(here: Installation) -> None:
    troubles = (_smoke_test, _throttling, _outage, _blip, _duplicates, _no_request, _pause, _failed_call)
    for hour in range(24):
        here.ask(2)
        here.ask(ends="Completed" if hour % FAILED_EVERY_H else "Failed")
        here.run(0.5)
        if hour % 3 == 0:
            troubles[hour // 3](here)
        here.run(0.5)


def _smoke_test(here: Installation) -> None:
    here.partner_center.trouble = lambda row: errors.RefusedForGood("no such customer", code="600037")
    here.ask(request_id="smoke-")
    here.partner_center.trouble = lambda row: None


def _throttling(here: Installation) -> None:
    here.partner_center.trouble = lambda row: errors.Throttled(retry_after_s=120)
    here.ask(3)
    here.run(5 / 60)
    here.partner_center.trouble = lambda row: None


def _outage(here: Installation) -> None:
    here.partner_center.trouble = lambda row: errors.OutcomeUnknown("no answer")
    here.ask(6)
    here.run(0.2)
    here.partner_center.trouble = lambda row: None


def _blip(here: Installation) -> None:
    here.lose_storage(3)
    here.ask()


def _duplicates(here: Installation) -> None:
    (customer,) = here.ask()
    here.deliver(customerId=customer, productFamily="Azure", requestId="another")
    here.run(2)
    here.deliver(customerId=customer, productFamily="Azure", requestId=customer)


def _no_request(here: Installation) -> None:
    here.deliver(productFamily="Azure")


def _pause(here: Installation) -> None:
    here.ports.gate.pause("maintenance")
    here.run(0.4)
    here.ports.gate.resume()


class _Unavailable(BaseAdapter):
    """A service that is down for maintenance."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        answer = requests.Response()
        answer.status_code, answer.url, answer.raw = 503, str(request.url), io.BytesIO()
        answer.headers.update({"MS-CV": "cv.0", "MS-ServerId": "s1"})
        return answer

    def close(self) -> None:
        """Nothing is open."""


def _failed_call(here: Installation) -> None:
    """Of the real client, which alone logs what a support case asks for."""
    with requests.Session() as session:
        session.mount("https://", _Unavailable())
        client = PartnerCenterClient(
            session=session, tokens=here.tokens, base_url="https://partner-center.invalid",
            timeouts=Timeouts(1, 1, 60), clock=here.clock, new_id=here.new_id,
        )  # fmt: skip

        def ask() -> None:
            with suppress(errors.OutcomeUnknown):
                client.get_eligibility(rows.in_flight())

        here.invoke("PollUpgrade", ask)
