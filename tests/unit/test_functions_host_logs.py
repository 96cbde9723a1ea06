import asyncio
import contextvars
import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from azure_functions_runtime_v1 import invocation_id_cv
from azure_functions_runtime_v1.bindings.context import _invocation_id_local

from local.functions_host.logs import AppLogHandler, HostLog, LogLevels

Lines = Callable[[], list[dict[str, str]]]


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


def test_a_line_is_one_json_object() -> None:
    stream = io.StringIO()
    log = HostLog(stream, LogLevels({}), "CreateUpgrade", lambda: datetime(2026, 3, 2, 12, 0, 0, 7000, tzinfo=UTC))

    log.write("Error", "Function.CreateUpgrade", "two\nlines", "id-1")

    assert json.loads(stream.getvalue()) == {
        "time": "2026-03-02T12:00:00.007Z",
        "level": "Error",
        "category": "Function.CreateUpgrade",
        "message": "two\nlines",
        "invocation_id": "id-1",
        "function": "CreateUpgrade",
    }
    assert stream.getvalue().count("\n") == 1


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
    assert (line["message"], line["level"], line["category"]) == ("hello there", "Warning", "Function.F.User")
    assert line["invocation_id"] == "running"


def test_an_exception_comes_with_its_traceback(logger: logging.Logger, lines: Lines) -> None:
    def fail() -> None:
        try:
            [].pop()
        except IndexError:
            logger.exception("it failed")

    _in_context_of("running", fail)

    assert "it failed\nTraceback" in lines()[0]["message"]
    assert "IndexError: pop from empty list" in lines()[0]["message"]


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

    assert [line["message"] for line in lines()] == ["borrowed"]


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
