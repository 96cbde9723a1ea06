"""What the files of a function app say: host.json (version 2) and function.json (v1 programming model).

Follows the "host.json reference" and the published JSON Schemas of both files.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_TIME_SPAN = re.compile(r"(?:(\d+)\.)?([01]?\d|2[0-3]):([0-5]\d):([0-5]\d(?:\.\d{1,7})?)")


class AppError(ValueError):
    """A file of the app is missing, or does not say what the platform needs."""


@dataclass(frozen=True)
class ServiceBusOptions:
    """host.json, `extensions.serviceBus`."""

    max_concurrent_calls: int = 16
    prefetch_count: int = 0
    auto_complete_messages: bool = True
    max_auto_lock_renewal_s: float = 300


@dataclass(frozen=True)
class HostOptions:
    """host.json. `function_timeout_s` None: no limit."""

    function_timeout_s: float | None = 1800
    log_levels: Mapping[str, str] = field(default_factory=dict)
    service_bus: ServiceBusOptions = ServiceBusOptions()


@dataclass(frozen=True)
class Function:
    """function.json. `bindings` as they stand in the file."""

    name: str
    folder: Path
    script_file: Path
    entry_point: str
    bindings: tuple[Mapping[str, Any], ...]

    @property
    def trigger(self) -> Mapping[str, Any]:
        return next(binding for binding in self.bindings if _is_trigger(binding))


def parse_time_span(text: str) -> float:
    """Seconds of a .NET TimeSpan, `[d.]hh:mm:ss[.fffffff]`.

    Raises:
        ValueError: it is none. So is `24:00:00`, which the platform reads as 24 days.
    """
    match = _TIME_SPAN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no time span ([d.]hh:mm:ss)")
    days, hours, minutes, seconds = match.groups()
    return int(days or 0) * 86400 + int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def read_host_options(app: Path) -> HostOptions:
    """Raises: AppError."""
    content = _read_json(app / "host.json")
    try:
        return _host_options(content)
    except (AttributeError, TypeError, ValueError) as error:
        raise AppError(f"{app / 'host.json'}: {error}") from error


def read_function(app: Path, name: str) -> Function:
    """Raises: AppError."""
    file = app / name / "function.json"
    content = _read_json(file)
    bindings = content.get("bindings")
    if not isinstance(bindings, list) or sum(map(_is_trigger, bindings)) != 1:
        raise AppError(f"{file}: a function has exactly one trigger")
    return Function(
        name=name,
        folder=file.parent.resolve(),
        script_file=(file.parent / content.get("scriptFile", "__init__.py")).resolve(),
        entry_point=content.get("entryPoint", "main"),
        bindings=tuple(bindings),
    )


def _host_options(content: Mapping[str, Any]) -> HostOptions:
    default = HostOptions()
    timeout = content.get("functionTimeout")
    return HostOptions(
        function_timeout_s=_timeout_s(timeout) if timeout else default.function_timeout_s,
        log_levels=dict(content.get("logging", {}).get("logLevel", {})),
        service_bus=_service_bus_options(content.get("extensions", {}).get("serviceBus", {})),
    )


def _service_bus_options(content: Mapping[str, Any]) -> ServiceBusOptions:
    default = ServiceBusOptions()
    renewal = content.get("maxAutoLockRenewalDuration")
    return ServiceBusOptions(
        max_concurrent_calls=int(content.get("maxConcurrentCalls", default.max_concurrent_calls)),
        prefetch_count=int(content.get("prefetchCount", default.prefetch_count)),
        auto_complete_messages=bool(content.get("autoCompleteMessages", default.auto_complete_messages)),
        max_auto_lock_renewal_s=parse_time_span(renewal) if renewal else default.max_auto_lock_renewal_s,
    )


def _timeout_s(text: str) -> float | None:
    return None if text == "-1" else parse_time_span(text)


def _is_trigger(binding: object) -> bool:
    return isinstance(binding, dict) and str(binding.get("type", "")).lower().endswith("trigger")


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise AppError(f"{file}: {error}") from error
    if not isinstance(content, dict):
        raise AppError(f"{file}: not a JSON object")
    return content
