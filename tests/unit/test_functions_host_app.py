import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from local.functions_host.app import AppError, parse_time_span, read_function, read_host_options
from local.functions_host.settings import MissingSettingError, app_settings, substitute, substitute_all


@pytest.mark.parametrize(
    ("text", "seconds"), [("00:10:00", 600), ("01:00:00", 3600), ("00:00:00.5", 0.5), ("2.03:00:01", 183601)]
)
def test_a_time_span_is_read_as_dotnet_writes_it(text: str, seconds: float) -> None:
    assert parse_time_span(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "10:00", "24:00:00", "00:60:00", "00:00:61", "-00:00:01"])
def test_what_is_no_time_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="time span"):
        parse_time_span(text)


def test_host_json_says_timeout_levels_and_service_bus_options(tmp_path: Path) -> None:
    _write(
        tmp_path / "host.json",
        {
            "version": "2.0",
            "functionTimeout": "00:05:00",
            "logging": {"logLevel": {"default": "Warning"}},
            "extensions": {
                "serviceBus": {
                    "maxConcurrentCalls": 7,
                    "prefetchCount": 3,
                    "autoCompleteMessages": False,
                    "maxAutoLockRenewalDuration": "00:01:00",
                }
            },
        },
    )

    options = read_host_options(tmp_path)

    assert options.function_timeout_s == 300
    assert options.log_levels == {"default": "Warning"}
    bus = options.service_bus
    assert (bus.max_concurrent_calls, bus.prefetch_count, bus.max_auto_lock_renewal_s) == (7, 3, 60)
    assert not bus.auto_complete_messages


def test_without_options_the_platforms_defaults_hold(tmp_path: Path) -> None:
    _write(tmp_path / "host.json", {"version": "2.0"})

    options = read_host_options(tmp_path)

    assert options.function_timeout_s == 1800
    assert (options.service_bus.max_concurrent_calls, options.service_bus.max_auto_lock_renewal_s) == (16, 300)


def test_a_function_may_run_for_ever(tmp_path: Path) -> None:
    _write(tmp_path / "host.json", {"functionTimeout": "-1"})

    assert read_host_options(tmp_path).function_timeout_s is None


@pytest.mark.parametrize("content", ["{", "[]", '{"functionTimeout": "soon"}', '{"extensions": {"serviceBus": 5}}'])
def test_a_broken_host_json_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "host.json").write_text(content)

    with pytest.raises(AppError, match=r"host\.json"):
        read_host_options(tmp_path)


def test_function_json_names_the_trigger_and_the_entry_point(tmp_path: Path) -> None:
    trigger = {"name": "timer", "type": "timerTrigger", "schedule": "%WHEN%"}
    _write(tmp_path / "Tick" / "function.json", {"bindings": [{"name": "x", "type": "table"}, trigger]})

    function = read_function(tmp_path, "Tick")

    assert function.trigger == trigger
    assert function.script_file == (tmp_path / "Tick" / "__init__.py").resolve()
    assert function.entry_point == "main"


@pytest.mark.parametrize("bindings", [None, [], [{"type": "table"}], [{"type": "aTrigger"}, {"type": "bTrigger"}]])
def test_a_function_without_exactly_one_trigger_is_refused(tmp_path: Path, bindings: object) -> None:
    _write(tmp_path / "Odd" / "function.json", {"bindings": bindings})

    with pytest.raises(AppError, match="exactly one trigger"):
        read_function(tmp_path, "Odd")


def test_the_environment_wins_over_local_settings(tmp_path: Path) -> None:
    file = tmp_path / "local.settings.json"
    _write(file, {"IsEncrypted": False, "Values": {"A": "file", "B": "file"}})

    assert app_settings({"A": "environment"}, file) == {"A": "environment", "B": "file"}


def test_names_between_percent_signs_are_replaced() -> None:
    settings = {"QUEUE": "upgrades", "STAGE": "test"}

    assert substitute("%QUEUE%-%STAGE%", settings) == "upgrades-test"
    assert substitute_all({"queueName": "%QUEUE%", "useMonitor": True}, settings) == {
        "queueName": "upgrades",
        "useMonitor": True,
    }


def test_a_name_that_is_no_setting_is_named() -> None:
    with pytest.raises(MissingSettingError, match="'%QUEUE%' does not resolve to a value"):
        substitute("%QUEUE%", {})


def _write(file: Path, content: Mapping[str, object]) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(content))
