"""What can be turned on and off at run time, for all customers at once."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from local.partner_center.aadsts import ERRORS
from local.partner_center.journal import Event, Journal

type Outage = Literal["unavailable", "reset", "html"]

OUTAGES = (None, "unavailable", "reset", "html")


class SwitchError(ValueError):
    """No switch, or not a value of it; the text says which."""


@dataclass(frozen=True)
class Window:
    """A fixed window: so many calls in each stretch of `per_s` seconds."""

    calls: int
    per_s: float


@dataclass(frozen=True)
class Bucket:
    """A token bucket: `rate_per_s` on average, `burst` at once."""

    rate_per_s: float
    burst: int


@dataclass(frozen=True)
class Switches:
    """`api_*`: the three calls. `token_*`: the sign-in. `token_error` is an OAuth error or an AADSTS number."""

    api_latency_s: float = 0
    api_outage: Outage | None = None
    api_window: Window | None = None
    api_bucket: Bucket | None = None
    token_outage: Outage | None = None
    token_error: Literal["invalid_grant", "invalid_client"] | int | None = None
    access_token_lifetime_s: float = 3600
    require_mfa: bool = True


class SwitchBoard:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.switches = Switches()
        journal.on("switches", self._apply)

    def turn(self, changes: Mapping[str, Any]) -> Switches:
        """Changes the switches that are named.

        Raises:
            SwitchError: one of them is none, or the value is not one of its values; nothing has changed.
        """
        _changed(self.switches, changes)
        self._journal.record("switches", **changes)
        return self.switches

    def _apply(self, event: Event) -> None:
        self.switches = _changed(self.switches, event)


def _changed(switches: Switches, changes: Mapping[str, Any]) -> Switches:
    unknown = set(changes) - {field.name for field in fields(Switches)}
    if unknown:
        raise SwitchError(f"no such switch: {', '.join(sorted(unknown))}")
    return replace(switches, **{name: _value(name, value) for name, value in changes.items()})


def _value(name: str, value: Any) -> Any:
    try:
        if name == "api_window":
            return value and Window(**value)
        if name == "api_bucket":
            return value and Bucket(**value)
        if name.endswith("_s"):
            return float(value)
    except (TypeError, ValueError) as error:
        raise SwitchError(f"{name}: {error}") from error
    allowed = {"token_error": (None, "invalid_grant", "invalid_client", *ERRORS), "require_mfa": (True, False)}
    if value not in allowed.get(name, OUTAGES):
        raise SwitchError(f"{name}: not {value!r}")
    return value
