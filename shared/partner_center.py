"""Partner Center's product upgrades: create, status, eligibility.

Source: "Create a product upgrade entity", "Get the status of a product upgrade", "Get eligibility for product upgrade"
and "Partner Center REST headers" in Microsoft's Partner Center developer documentation.
"""

import logging
from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlsplit

import requests

from shared import answers, errors, transport
from shared.answers import Answer, CreatedUpgrade, Eligibility, InPlace, UpgradeStatus
from shared.clock import Clock
from shared.events import about, emit
from shared.models import InFlightUpgrade
from shared.ports import MaySend

APPLICATION = "product-upgrades"
_MAX_BYTES = 8 * 1024 * 1024  # a status answer of tens of thousands of line items


def _always() -> bool:
    return True


class TokenSource(Protocol):
    """Where access tokens come from."""

    def get_token(self) -> str: ...

    def drop_token(self, token: str) -> None: ...


class PartnerCenterClient:
    """The three calls. Safe to be used by many threads at once.

    Every method raises `CallFailed`: `NotSent`, `Refused` or `OutcomeUnknown`, by what is known afterwards.
    """

    def __init__(
        self,
        *,
        session: requests.Session,
        tokens: TokenSource,
        base_url: str,
        timeouts: transport.Timeouts,
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        self._session = session
        self._tokens = tokens
        self._base_url = base_url.rstrip("/")
        self._host = urlsplit(base_url).netloc
        self._timeouts = timeouts
        self._clock = clock
        self._new_id = new_id
        self._validated: str | None = None  # the token whose sign-in the service was asked about

    def create_upgrade(self, row: InFlightUpgrade, *, lease_ends: float, may_send: MaySend = _always) -> CreatedUpgrade:
        """`POST /v1/productupgrades` with the row's own MS-RequestId, and the confirmation where the id is in doubt.

        `lease_ends`: `Clock.monotonic`; the call is not sent where it might last longer.
        """

        def check() -> None:
            if self._clock.monotonic() > lease_ends - self._timeouts.total_s:
                raise errors.LeaseTooShort
            _check(may_send)

        # The confirmation, too, ends with the lease: the tick's budget counts on it.
        with transport.total_deadline(lease_ends - self._clock.monotonic()):
            created = self._create(row, check)
            if isinstance(created, str):
                return CreatedUpgrade(created)
            in_place = created if isinstance(created, InPlace) else None
            return CreatedUpgrade(self._confirm(row, in_place, may_send), adopted=in_place is not None)

    def _create(self, row: InFlightUpgrade, check: Callable[[], None]) -> str | InPlace | None:
        answer = self._send("/v1/productupgrades", row, row.ms_request_id, check)
        try:
            self._raise_throttled(answer)
            return answers.created_upgrade_id(answer, self._host)
        except (errors.Throttled, errors.Unauthorized, errors.AccessDenied) as refusal:
            # Given before the service looks at the request: they tell nothing about the first of two sendings.
            if answer.resent:
                raise errors.OutcomeUnknown("sent twice", trouble=refusal) from refusal
            raise

    def get_status(self, row: InFlightUpgrade, upgrade_id: str, *, may_send: MaySend = _always) -> UpgradeStatus:
        """`POST /v1/productUpgrades/{upgrade_id}/status`."""
        path = f"/v1/productUpgrades/{upgrade_id}/status"
        answer = self._post(path, row, self._new_id(), lambda: _check(may_send))
        return answers.upgrade_status(answer, upgrade_id)

    def get_eligibility(self, row: InFlightUpgrade, *, may_send: MaySend = _always) -> Eligibility:
        """`POST /v1/productUpgrades/eligibility`."""
        path = "/v1/productUpgrades/eligibility"
        return answers.eligibility(self._post(path, row, self._new_id(), lambda: _check(may_send)))

    def _confirm(self, row: InFlightUpgrade, in_place: InPlace | None, may_send: MaySend) -> str:
        """The id of the upgrade that is there. An id in an error text is free text: nothing is adopted on its word."""
        try:
            upgrade_id = self.get_eligibility(row, may_send=may_send).upgrade_id
            if upgrade_id:
                return upgrade_id.lower()
            if in_place:
                return self._first_known(row, in_place, may_send)
        except errors.CallFailed as trouble:
            if in_place and trouble is in_place.refusal:
                raise
            raise errors.OutcomeUnknown("an upgrade is there, its id is not confirmed", trouble=trouble) from trouble
        raise errors.OutcomeUnknown("accepted without an id, and eligibility names none")

    def _first_known(self, row: InFlightUpgrade, in_place: InPlace, may_send: MaySend) -> str:
        """Eligibility names none: an id of the text that the status call knows, else the refusal stands as it came."""
        for upgrade_id in in_place.upgrade_ids[:3]:
            try:
                self.get_status(row, upgrade_id, may_send=may_send)
            except (errors.UpgradeNotFound, errors.RefusedForGood, errors.RefusedForNow):
                continue
            return upgrade_id.lower()
        raise in_place.refusal

    def _post(self, path: str, row: InFlightUpgrade, ms_request_id: str, check: Callable[[], None]) -> Answer:
        answer = self._send(path, row, ms_request_id, check)
        self._raise_throttled(answer)
        return answer

    def _raise_throttled(self, answer: Answer) -> None:
        if answer.http_status == 429:
            raise answers.throttled(answer, self._clock.now())

    def _send(self, path: str, row: InFlightUpgrade, ms_request_id: str, check: Callable[[], None]) -> Answer:
        """`check` raises where the call may not be sent any more: making the token may have taken long."""
        token = self._tokens.get_token()
        check()
        body = {"customerId": row.customer_id, "productFamily": row.product_family}
        resent: list[bool] = []
        try:
            response = transport.send(
                self._session, "POST", self._base_url + path,
                timeouts=self._timeouts, max_bytes=_MAX_BYTES, on_resend=lambda: resent.append(True),
                headers=self._headers(token, row, ms_request_id), json=body,
            )  # fmt: skip
        except requests.RequestException as error:
            self._log_failed(path, row, ms_request_id, error_type=type(error).__name__)
            raise errors.OutcomeUnknown(type(error).__name__) from None
        answer = Answer(response.status_code, response.headers, response.content, resent=bool(resent))
        self._note(path, row, ms_request_id, token, answer)
        return answer

    def _headers(self, token: str, row: InFlightUpgrade, ms_request_id: str) -> dict[str, str]:
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "MS-RequestId": ms_request_id,
            "MS-CorrelationId": row.correlation_id,
            "MS-Contract-Version": "v1",
            "X-Locale": "en-US",
            "MS-PartnerCenter-Application": APPLICATION,
        }
        return headers if token == self._validated else headers | {"ValidateMfa": "true"}

    def _note(self, path: str, row: InFlightUpgrade, ms_request_id: str, token: str, answer: Answer) -> None:
        """What an answer says besides what was asked for: of the token, and for the vendor's support."""
        if answer.http_status == 401 or answers.is_access_denied(answer):
            self._tokens.drop_token(token)
        compliant = answer.headers.get("isMfaCompliant", "").lower()
        if compliant and token != self._validated:
            self._validated = token
            if compliant == "false":
                emit(logging.ERROR, "auth.consent_required", oauth_error="not_mfa_compliant")
        if answer.http_status >= 300:
            self._log_failed(
                path, row, ms_request_id,
                http_status=answer.http_status,
                ms_cv=answer.headers.get("MS-CV"),
                ms_server_id=answer.headers.get("MS-ServerId"),
            )  # fmt: skip

    def _log_failed(self, path: str, row: InFlightUpgrade, ms_request_id: str, **found: object) -> None:
        kind = path.rsplit("/", 1)[-1].lower()
        emit(
            logging.INFO,
            "call.failed",
            **about(row),
            call="create" if kind == "productupgrades" else kind,
            ms_request_id=ms_request_id,
            **found,
        )


def _check(may_send: MaySend) -> None:
    if not may_send():
        raise errors.HeldBack
