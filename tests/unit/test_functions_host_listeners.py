import io
from collections.abc import Mapping
from typing import Any

import pytest

from local.functions_host.app import AppError, HostOptions
from local.functions_host.listeners import Listener, listener_for
from local.functions_host.logs import HostLog, LogLevels
from local.functions_host.messages import TriggerData
from local.functions_host.service_bus import ServiceBusListener
from local.functions_host.settings import MissingSettingError
from local.functions_host.timer import TimerListener
from local.functions_host.worker import InvocationResult

TIMER = {"name": "timer", "type": "timerTrigger", "schedule": "%WHEN%"}
QUEUE = {"name": "message", "type": "serviceBusTrigger", "queueName": "q", "connection": "Bus"}
EMULATOR = "Endpoint=sb://localhost:1;SharedAccessKeyName=k;SharedAccessKey=k;UseDevelopmentEmulator=true;"


def test_a_timer_trigger_gets_a_timer() -> None:
    assert isinstance(_listener(TIMER, {"WHEN": "0 * * * * *"}), TimerListener)


@pytest.mark.parametrize("settings", [{"Bus": EMULATOR}, {"Bus__fullyQualifiedNamespace": "localhost:1"}])
def test_a_service_bus_trigger_connects_by_connection_string_or_namespace(settings: dict[str, str]) -> None:
    assert isinstance(_listener(QUEUE, settings), ServiceBusListener)


def test_a_connection_without_settings_is_named() -> None:
    with pytest.raises(MissingSettingError, match="'Bus'"):
        _listener(QUEUE, {})


@pytest.mark.parametrize(
    ("trigger", "reason"),
    [
        ({"type": "blobTrigger"}, "no trigger 'blobTrigger'"),
        ({"type": "timerTrigger"}, "no 'schedule'"),
        ({"type": "serviceBusTrigger", "connection": "Bus"}, "no 'queueName'"),
        ({**QUEUE, "cardinality": "many"}, "single messages"),
    ],
)
def test_a_trigger_that_cannot_be_bound_says_why(trigger: dict[str, str], reason: str) -> None:
    with pytest.raises(AppError, match=reason):
        _listener(trigger, {"Bus": EMULATOR})


def test_a_wrong_schedule_is_refused() -> None:
    with pytest.raises(ValueError, match="no schedule"):
        _listener(TIMER, {"WHEN": "hourly"})


def _listener(trigger: Mapping[str, Any], settings: Mapping[str, str]) -> Listener:
    log = HostLog(io.StringIO(), LogLevels({}), "F")
    return listener_for(trigger, settings, _invoke, options=HostOptions(), log=log)


async def _invoke(_: TriggerData) -> InvocationResult:
    raise AssertionError("nothing arrived")
