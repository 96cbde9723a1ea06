"""Whether the services can be reached at all, before anybody signs in; and how far our clock is from theirs."""

import socket
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import requests

from shared import transport
from upgradectl.connections import Connections
from upgradectl.diagnosis import Check, Finding, State, failed, ok, warning

_MAX_BYTES = 1024 * 1024
_SKEW_NOTED_S = 60
_SKEW_TOO_LARGE_S = 300  # Entra's tolerance for the times in tokens and assertions
VAULT, TABLES, SERVICE_BUS = "reach Key Vault", "reach Table Storage", "reach Service Bus"
SIGN_IN, PARTNER_CENTER = "reach the sign-in", "reach Partner Center"


class ReachChecks:
    """Any HTTP answer will do: who may do what is found out later."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._settings = connections.settings
        self._skews_s: dict[str, float] = {}

    def checks(self) -> tuple[Check, ...]:
        settings = self._settings
        return (
            Check(VAULT, lambda: self._reach(settings.key_vault_url, "KEY_VAULT_URL"), ("KEY_VAULT_URL",)),
            Check(TABLES, lambda: self._reach(settings.tables_url, "TABLES_URL"), ("TABLES_URL",)),
            Check(SERVICE_BUS, self._reach_service_bus, ("SERVICE_BUS_NAMESPACE", "UPGRADE_QUEUE")),
            Check(SIGN_IN, self._reach_sign_in, ("PARTNER_TENANT_ID",)),
            Check(PARTNER_CENTER, lambda: self._reach(settings.partner_center_url, "PARTNER_CENTER_URL")),
            Check("clock", self._compare_clocks),
        )

    def _reach(self, url: str, setting: str) -> Finding:
        return self._get(url, setting)[1]

    def _get(self, url: str, setting: str) -> tuple[int, Finding]:
        """The HTTP status; 0 without an answer."""
        total_s = self._settings.azure_call_deadline_s
        timeouts = transport.Timeouts(min(self._settings.connect_timeout_s, total_s), total_s, total_s)
        try:
            answer = transport.send(self._connections.session, "GET", url, timeouts=timeouts, max_bytes=_MAX_BYTES)
        except requests.RequestException as error:
            return 0, failed(f"no answer from {url} ({type(error).__name__})", f"check {setting}, the network, a proxy")
        self._note_date(setting, answer.headers.get("Date"))
        return answer.status_code, ok(url)

    def _reach_sign_in(self) -> Finding:
        authority, tenant = self._settings.authority_url, self._settings.partner_tenant_id
        status, finding = self._get(f"{authority}/{tenant}/v2.0/.well-known/openid-configuration", "AUTHORITY_URL")
        if status == 400:
            return failed(f"{authority} knows no tenant {tenant}", "check PARTNER_TENANT_ID and AUTHORITY_URL")
        return ok(authority) if finding.state is State.OK else finding

    def _reach_service_bus(self) -> Finding:
        bus = self._connections.queue
        shown = f"{bus.host}:{bus.port}"
        try:
            socket.create_connection((bus.host, bus.port), self._settings.connect_timeout_s).close()
        except OSError as error:
            remedy = "check SERVICE_BUS_NAMESPACE, and that the network lets this port out"
            return failed(f"no connection to {shown} ({type(error).__name__})", remedy)
        return ok(shown)

    def _note_date(self, setting: str, header: str | None) -> None:
        try:
            date = parsedate_to_datetime(header or "")
        except ValueError:
            return
        self._skews_s[setting] = (self._connections.clock.now() - _aware(date)).total_seconds()

    def _compare_clocks(self) -> Finding:
        return skew_found(list(self._skews_s.values()))


def skew_found(skews_s: list[float]) -> Finding:
    """`skews_s`: our time minus each service's. The median: one service's clock may be wrong itself."""
    if not skews_s:
        return Finding(State.NOT_TRIED, "no service told its time")
    skew_s = sorted(skews_s)[len(skews_s) // 2]
    detail = f"this machine is {abs(skew_s):.0f} s {'ahead' if skew_s > 0 else 'behind'}"
    remedy = "set it by a time server: sign-ins fail with a wrong clock"
    if abs(skew_s) >= _SKEW_TOO_LARGE_S:
        return failed(detail, remedy)
    return warning(detail, remedy) if abs(skew_s) >= _SKEW_NOTED_S else ok(f"within {_SKEW_NOTED_S} s of the services'")


def _aware(date: datetime) -> datetime:
    return date if date.tzinfo else date.replace(tzinfo=UTC)
