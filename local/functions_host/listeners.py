"""The listener that a function's trigger asks for, built from its binding and the app settings."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from local.functions_host.app import AppError, HostOptions
from local.functions_host.logs import HostLog
from local.functions_host.messages import TriggerData
from local.functions_host.schedule import parse_schedule
from local.functions_host.settings import substitute_all
from local.functions_host.timer import TimerListener
from local.functions_host.worker import InvocationResult

type Invoke = Callable[[TriggerData], Awaitable[InvocationResult]]


class Listener(Protocol):
    async def run(self) -> None:
        """Until it is stopped, and what it had begun is done."""

    def stop(self) -> None: ...


class NoListener:
    """Of a function whose trigger cannot be bound: the host stays up without it."""

    async def run(self) -> None:
        return

    def stop(self) -> None:
        return


def listener_for(
    trigger: Mapping[str, Any], settings: Mapping[str, str], invoke: Invoke, *, options: HostOptions, log: HostLog
) -> Listener:
    """Raises: MissingSettingError, AppError, ValueError: there can be none."""
    binding = substitute_all(trigger, settings)
    match binding["type"]:
        case "serviceBusTrigger":
            return _service_bus(binding, settings, invoke, options=options, log=log)
        case "timerTrigger":
            return TimerListener(
                parse_schedule(_required(binding, "schedule")),
                invoke,
                run_on_startup=binding.get("runOnStartup", False),
                monitored=binding.get("useMonitor", True),
            )
        case other:
            raise AppError(f"this host has no trigger '{other}'")


def _service_bus(
    binding: Mapping[str, Any], settings: Mapping[str, str], invoke: Invoke, *, options: HostOptions, log: HostLog
) -> Listener:
    # Here, because the SDK takes half a second to import, which a timer's host need not wait for.
    from local.functions_host.connection import client_factory  # noqa: PLC0415
    from local.functions_host.service_bus import ServiceBusListener  # noqa: PLC0415

    if binding.get("cardinality", "one") != "one":
        raise AppError("this host delivers single messages: cardinality 'one'")
    open_client = client_factory(_required(binding, "connection"), settings)
    return ServiceBusListener(
        _required(binding, "queueName"), open_client, invoke, options=options.service_bus, log=log
    )


def _required(binding: Mapping[str, Any], name: str) -> str:
    if not isinstance(text := binding.get(name), str):
        raise AppError(f"its trigger has no '{name}'")
    return text
