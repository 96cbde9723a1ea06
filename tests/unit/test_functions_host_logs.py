import asyncio
import contextvars
import io
import json
import logging
import os
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from azure_functions_runtime_v1 import invocation_id_cv
from azure_functions_runtime_v1.bindings.context import _invocation_id_local

from local.functions_host.logs import AppLogHandler, HostLog, LogLevels

Lines = Callable[[], list[dict[str, Any]]]


@pytest.mark.parametrize(
    ("category", "level", "allowed"),
    [
        ("Host.Startup", "Information", False),
        ("Host.Startup", "Warning", True),
        ("Function.CreateUpgrade", "Information", False),
        ("Function.CreateUpgrade", "Error", True),
        ("Function.CreateUpgrade.User", "Debug", False),
        ("Function.CreateUpgrade.User", "Information", True),
        ("Function.PollUpgrade.User", "Error", True),
        ("Other", "Critical", False),
    ],
)
def test_the_longest_name_in_host_json_decides(category: str, level: str, allowed: bool) -> None:
    levels = LogLevels(
        {
            "default": "Warning",
            "Function": "Error",
            "Function.CreateUpgrade.User": "information",
            "Other": "None",
        }
    )

    assert levels.allow(category, level) is allowed


def test_a_line_is_one_json_object_a_row_of_app_traces() -> None:
    (row,) = _written("Error", "Function.CreateUpgrade", "two\nlines", "id-1")

    host, operation_id = row["Properties"].pop("HostInstanceId"), row.pop("OperationId")
    assert row == {
        "TimeGenerated": "2026-03-02T12:00:00.007Z",
        "Message": "two\nlines",
        "SeverityLevel": 3,
        "OperationName": "CreateUpgrade",
        "ParentId": operation_id[:16],
        "AppRoleName": "local",
        "AppRoleInstance": f"local-{os.getpid()}",
        "Properties": {
            "Category": "Function.CreateUpgrade",
            "LogLevel": "Error",
            "ProcessId": str(os.getpid()),
            "InvocationId": "id-1",
        },
        "_ResourceId": row["_ResourceId"],
        "Type": "AppTraces",
    }
    assert uuid.UUID(host)
    assert re.fullmatch("[0-9a-f]{32}", operation_id)
    assert row["_ResourceId"].endswith("/providers/microsoft.insights/components/local")


def test_the_lines_of_one_invocation_are_one_operation() -> None:
    stream = io.StringIO()
    log = HostLog(stream, LogLevels({}), "F")
    for invocation_id in ("id-1", "id-1", "id-2"):
        log.write("Information", "Function.F", "x", invocation_id)

    operations = [json.loads(line)["OperationId"] for line in stream.getvalue().splitlines()]
    assert [operations.index(each) for each in operations] == [0, 0, 2]


def test_a_line_of_the_hosts_own_belongs_to_no_operation() -> None:
    (row,) = _written("Warning", "Host.Startup", "stopped")

    assert (row["OperationName"], row["OperationId"], row["ParentId"]) == ("", "", "")
    assert "InvocationId" not in row["Properties"]


@pytest.mark.parametrize(
    ("level", "severity"), [("Debug", 0), ("Information", 1), ("Warning", 2), ("Error", 3), ("Critical", 4)]
)
def test_each_level_is_a_severity_of_application_insights(level: str, severity: int) -> None:
    (row,) = _written(level, "F", "x")

    assert (row["SeverityLevel"], row["Properties"]["LogLevel"]) == (severity, level)


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ("x" * 32_768, "x" * 32_768),
        ("x" * 32_769, "x" * 32_768),
        (" \n x y\n", "x y"),
        ("  " + "x" * 32_768, "x" * 32_768),
    ],
)
def test_a_message_is_trimmed_and_cut(message: str, kept: str) -> None:
    (row,) = _written("Error", "F", message)

    assert row["Message"] == kept


def test_a_line_without_text_is_no_row() -> None:
    assert _written("Error", "F", "") == []


def _written(level: str, category: str, message: str, invocation_id: str | None = None) -> list[dict[str, Any]]:
    stream = io.StringIO()
    levels = LogLevels({"default": "Trace"})
    log = HostLog(stream, levels, "CreateUpgrade", lambda: datetime(2026, 3, 2, 12, 0, 0, 7000, tzinfo=UTC))
    log.write(level, category, message, invocation_id)
    assert stream.getvalue().count("\n") <= 1
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_information_is_written_and_debug_is_not_by_default() -> None:
    levels = LogLevels({})

    assert levels.allow("Anything", "Information")
    assert not levels.allow("Anything", "Debug")


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("test-of-the-app")
    logger.setLevel(logging.INFO)
    yield logger
    logger.handlers.clear()


@pytest.fixture
def lines(logger: logging.Logger) -> Lines:
    """What was forwarded of an invocation `running`, which is the only one under way."""
    stream = io.StringIO()
    logger.addHandler(AppLogHandler(HostLog(stream, LogLevels({}), "F"), "F", {"running"}))
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_with_a_running_invocations_id_is_forwarded(logger: logging.Logger, lines: Lines) -> None:
    _in_context_of("running", lambda: logger.warning("hello %s", "there"))

    (line,) = lines()
    properties = line["Properties"]
    assert (line["Message"], properties["LogLevel"], properties["Category"]) == (
        "hello there",
        "Warning",
        "Function.F.User",
    )
    assert properties["InvocationId"] == "running"


def test_an_exception_comes_with_its_traceback(logger: logging.Logger, lines: Lines) -> None:
    def fail() -> None:
        try:
            [].pop()
        except IndexError:
            logger.exception("it failed")

    _in_context_of("running", fail)

    assert "it failed\nTraceback" in lines()[0]["Message"]
    assert "IndexError: pop from empty list" in lines()[0]["Message"]


def test_a_line_without_an_invocation_is_dropped(logger: logging.Logger, lines: Lines) -> None:
    logger.error("nobody's")

    assert lines() == []


def test_a_line_of_an_invocation_that_has_ended_is_dropped(logger: logging.Logger, lines: Lines) -> None:
    _in_context_of("ended", lambda: logger.error("too late"))

    assert lines() == []


def test_an_id_that_a_thread_of_the_app_borrowed_counts(logger: logging.Logger, lines: Lines) -> None:
    def borrow() -> None:
        _invocation_id_local.invocation_id = "running"
        logger.info("borrowed")

    _in_thread(borrow)

    assert [line["Message"] for line in lines()] == ["borrowed"]


def test_an_id_that_was_left_in_the_event_loops_thread_does_not_count(logger: logging.Logger, lines: Lines) -> None:
    async def log() -> None:
        _invocation_id_local.invocation_id = "running"
        logger.info("of the host itself")

    _in_thread(lambda: asyncio.run(log()))

    assert lines() == []


def test_lines_of_the_worker_library_are_not_the_apps(lines: Lines, logger: logging.Logger) -> None:
    worker_logger = logging.getLogger("azure.functions")
    worker_logger.addHandler(logger.handlers[0])
    try:
        _in_context_of("running", lambda: worker_logger.error("internal"))
    finally:
        worker_logger.handlers.clear()

    assert lines() == []


def _in_context_of(invocation_id: str, call: Callable[[], None]) -> None:
    context = contextvars.copy_context()
    context.run(invocation_id_cv.set, invocation_id)
    context.run(call)


def _in_thread(call: Callable[[], None]) -> None:
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
