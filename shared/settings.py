"""The app settings, read once and checked together (the README's table lists them all)."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from shared.errors import InvalidSettings

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_FAMILY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,62}[A-Za-z0-9])?", re.ASCII)
_SECRET_NAME = re.compile(r"[A-Za-z0-9-]{1,127}", re.ASCII)
_FUNCTION_TIMEOUT_S = 600  # host.json: functionTimeout
_LARGEST = 1_000_000  # of whatever unit: with it no instant leaves the calendar
_LOCK_RENEWAL_S = 300  # host.json: maxAutoLockRenewalDuration


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings, in their units. A field's name is the setting's name in lower case."""

    partner_tenant_id: str
    partner_client_id: str
    key_vault_url: str
    tables_url: str
    client_secret_name: str = "partner-center-client-secret"  # noqa: S105  the name of a secret is none
    client_certificate_name: str | None = None
    refresh_token_secret_name: str = "partner-center-refresh-token"  # noqa: S105
    partner_center_url: str = "https://api.partnercenter.microsoft.com"
    authority_url: str = "https://login.microsoftonline.com"
    product_families: tuple[str, ...] = ("Azure",)
    connect_timeout_s: float = 5
    read_timeout_s: float = 30
    call_deadline_s: float = 60
    lease_s: float = 180
    tick_budget_s: float = 240
    max_parallel_calls: int = 16
    first_poll_s: float = 60
    max_poll_s: float = 1800
    upgrade_deadline_h: float = 72
    not_found_grace_s: float = 900
    retry_first_s: float = 30
    retry_max_s: float = 3600
    retry_after_max_s: float = 3600
    refusal_first_s: float = 3600
    refusal_max_s: float = 86400
    refusal_deadline_d: float = 35
    refusals_max: int = 10
    gate_cache_s: float = 5
    azure_call_deadline_s: float = 15
    storage_hold_s: float = 200
    census_s: float = 600
    token_renew_h: float = 24

    @property
    def partner_center_resource(self) -> str:
        """Of the access token's scope: 21Vianet has an API of its own, all other clouds share the global one."""
        if urlsplit(self.partner_center_url).hostname in _LOOPBACK:
            return Settings.partner_center_url
        return self.partner_center_url

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Reads and checks everything before it complains.

        Raises:
            InvalidSettings: with one problem per setting that is missing or wrong.
        """
        reader = _Reader(env)
        values = {name: read(reader) for name, read in _READERS.items()}
        # The platform resolves these two in function.json; without them it does not start a listener.
        reader.text("UPGRADE_QUEUE")
        reader.text("POLL_SCHEDULE")
        if not reader.problems:
            reader.problems += _contradictions(values)
        if reader.problems:
            raise InvalidSettings(tuple(reader.problems))
        return cls(**values)


class _Reader:
    """Reads single settings and collects the problems instead of raising the first."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self.problems: list[str] = []

    def text(self, name: str, default: str | None = None, *, pattern: re.Pattern[str] | None = None) -> str:
        value = self._env.get(name, "").strip() or default
        if value is None:
            self.problems.append(f"{name} is missing")
        elif pattern and not pattern.fullmatch(value):
            self.problems.append(f"{name} has the wrong form")
        return value or ""

    def optional(self, name: str, *, pattern: re.Pattern[str]) -> str | None:
        return self.text(name, pattern=pattern) if self._env.get(name, "").strip() else None

    def url(self, name: str, default: str | None = None, *, loopback_http: bool = False) -> str:
        value = self.text(name, default).rstrip("/")
        if value and not _is_url(value, loopback_http=loopback_http):
            plain = " (http on loopback only)" if loopback_http else ""
            self.problems.append(f"{name} must be an https URL{plain} without user, query or fragment")
        return value

    def number(self, name: str, default: float, *, least: float = 0) -> float:
        try:
            value = float(self._env.get(name, "").strip() or default)
        except ValueError:
            value = math.nan
        if not (least <= value <= _LARGEST and (least or value > 0)):
            bound = f"of at least {least:g}" if least else "above 0"
            self.problems.append(f"{name} must be a number {bound}, at most {_LARGEST:,}")
            return default
        return value

    def count(self, name: str, default: int) -> int:
        value = self.number(name, default, least=1)
        if value != int(value):
            self.problems.append(f"{name} must be a whole number")
        return int(value)

    def families(self, name: str, default: str) -> tuple[str, ...]:
        families = tuple(part.strip() for part in self.text(name, default).split(","))
        if not all(_FAMILY.fullmatch(family) for family in families):
            self.problems.append(f"{name} must be a comma-separated list of product families")
        if len({family.lower() for family in families}) != len(families):
            self.problems.append(f"{name} names a product family twice")
        return families


def _is_url(value: str, *, loopback_http: bool) -> bool:
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    visible = all("!" <= character <= "~" for character in value)
    bare = visible and not (parts.username or parts.password or parts.query or parts.fragment)
    plain = loopback_http and parts.scheme == "http" and host in _LOOPBACK
    return bool(host) and bare and (parts.scheme == "https" or plain)


def _seconds(name: str) -> Callable[[_Reader], float]:
    """A positive number with the field's own default."""
    default = float(getattr(Settings, name))
    return lambda reader: reader.number(name.upper(), default)


_NUMBERS = (
    "connect_timeout_s", "read_timeout_s", "call_deadline_s", "lease_s", "tick_budget_s", "first_poll_s", "max_poll_s",
    "upgrade_deadline_h", "not_found_grace_s", "retry_first_s", "retry_max_s", "retry_after_max_s", "refusal_first_s",
    "refusal_max_s", "refusal_deadline_d", "gate_cache_s", "azure_call_deadline_s", "storage_hold_s", "census_s",
    "token_renew_h",
)  # fmt: skip

_READERS: dict[str, Callable[[_Reader], Any]] = {
    "partner_tenant_id": lambda r: r.text("PARTNER_TENANT_ID", pattern=_GUID),
    "partner_client_id": lambda r: r.text("PARTNER_CLIENT_ID", pattern=_GUID),
    "key_vault_url": lambda r: r.url("KEY_VAULT_URL"),
    "tables_url": lambda r: r.url("TABLES_URL", loopback_http=True),
    "client_secret_name": lambda r: r.text("CLIENT_SECRET_NAME", Settings.client_secret_name, pattern=_SECRET_NAME),
    "client_certificate_name": lambda r: r.optional("CLIENT_CERTIFICATE_NAME", pattern=_SECRET_NAME),
    "refresh_token_secret_name": lambda r: r.text(
        "REFRESH_TOKEN_SECRET_NAME", Settings.refresh_token_secret_name, pattern=_SECRET_NAME
    ),
    "partner_center_url": lambda r: r.url("PARTNER_CENTER_URL", Settings.partner_center_url, loopback_http=True),
    "authority_url": lambda r: r.url("AUTHORITY_URL", Settings.authority_url),
    "product_families": lambda r: r.families("PRODUCT_FAMILIES", ",".join(Settings.product_families)),
    "max_parallel_calls": lambda r: r.count("MAX_PARALLEL_CALLS", Settings.max_parallel_calls),
    "refusals_max": lambda r: r.count("REFUSALS_MAX", Settings.refusals_max),
    **{name: _seconds(name) for name in _NUMBERS},
}


def _contradictions(values: Mapping[str, Any]) -> list[str]:
    """Relations between settings that the design relies on."""
    rules = {
        "LEASE_S must be at least twice CALL_DEADLINE_S": values["lease_s"] >= 2 * values["call_deadline_s"],
        f"TICK_BUDGET_S must be below the function timeout ({_FUNCTION_TIMEOUT_S} s) by at least LEASE_S": (
            values["tick_budget_s"] + values["lease_s"] <= _FUNCTION_TIMEOUT_S
        ),
        f"STORAGE_HOLD_S and AZURE_CALL_DEADLINE_S together must be below the lock renewal ({_LOCK_RENEWAL_S} s)": (
            values["storage_hold_s"] + values["azure_call_deadline_s"] < _LOCK_RENEWAL_S
        ),
        "FIRST_POLL_S must not exceed MAX_POLL_S": values["first_poll_s"] <= values["max_poll_s"],
        "RETRY_FIRST_S must not exceed RETRY_MAX_S": values["retry_first_s"] <= values["retry_max_s"],
        "REFUSAL_FIRST_S must not exceed REFUSAL_MAX_S": values["refusal_first_s"] <= values["refusal_max_s"],
    }
    return [problem for problem, holds in rules.items() if not holds]
