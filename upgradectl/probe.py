"""A harmless call that shows what Partner Center thinks of a sign-in: the eligibility of a made-up customer.

Source: "Get eligibility for product upgrade", and "Partner security requirements" for the header that tells of MFA
(Microsoft's Partner Center developer documentation).
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

import requests

from shared import answers, errors, transport
from shared.answers import Answer
from shared.clock import Clock
from shared.partner_center import APPLICATION
from shared.settings import Settings

_PATH = "/v1/productUpgrades/eligibility"
_MAX_BYTES = 1024 * 1024
_MFA = {"true": True, "false": False}


@dataclass(frozen=True)
class Probe:
    """`is_mfa_compliant`: None where the service does not say. `refusal`: None where it knew the customer."""

    is_mfa_compliant: bool | None
    refusal: errors.CallFailed | None

    @property
    def is_accepted(self) -> bool | None:
        """Whether the service knows who calls; None: it did not get that far."""
        match self.refusal:
            case errors.Unauthorized() | errors.AccessDenied(http_status=401):
                return False
            case errors.Throttled() | errors.OutcomeUnknown():
                return None
        return True

    @property
    def shown(self) -> str:
        """What the service said, without its free text."""
        if self.refusal is None:
            return "answered"
        answered = f"answered {self.refusal.http_status} {self.refusal.code}".rstrip()
        return answered if self.refusal.http_status else f"did not answer ({self.refusal.description})"


def probe(session: requests.Session, settings: Settings, access_token: str, clock: Clock) -> Probe:
    """Never raises: that there is no answer is one."""
    body = {"customerId": str(uuid.uuid4()), "productFamily": settings.product_families[0]}
    total_s = settings.azure_call_deadline_s
    timeouts = transport.Timeouts(min(settings.connect_timeout_s, total_s), total_s, total_s)
    try:
        response = transport.send(
            session, "POST", settings.partner_center_url + _PATH,
            timeouts=timeouts, max_bytes=_MAX_BYTES, headers=_headers(access_token), json=body,
        )  # fmt: skip
    except requests.RequestException as error:
        return Probe(None, errors.OutcomeUnknown(type(error).__name__))
    answer = Answer(response.status_code, response.headers, response.content)
    return Probe(_MFA.get(answer.headers.get("isMfaCompliant", "").lower()), _refusal(answer, clock))


def _refusal(answer: Answer, clock: Clock) -> errors.CallFailed | None:
    if answer.http_status == 429:
        return answers.throttled(answer, clock.now())
    try:
        answers.eligibility(answer)
    except errors.CallFailed as error:
        return error
    return None


def _headers(access_token: str) -> Mapping[str, str]:
    return {
        "Authorization": f"Bearer {access_token}",
        "Accept": "application/json",
        "MS-RequestId": str(uuid.uuid4()),
        "MS-CorrelationId": str(uuid.uuid4()),
        "MS-Contract-Version": "v1",
        "X-Locale": "en-US",
        "MS-PartnerCenter-Application": APPLICATION,
        "ValidateMfa": "true",
    }
