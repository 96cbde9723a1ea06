import asyncio
import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest
from azure.functions.servicebus import ServiceBusMessageInConverter
from azure_functions_runtime_v1 import invocation_id_cv
from azure_functions_runtime_v1.bindings.datumdef import Datum

from local.functions_host.app import AppError
from local.functions_host.delivery import Delivery
from local.functions_host.invocations import Invocations
from local.functions_host.logs import HostLog, LogLevels
from local.functions_host.messages import TypedData
from local.functions_host.timer import timer_data
from local.functions_host.worker import SyncWorker, Worker

SAMPLE_APP = Path(__file__).parent.parent / "contract" / "sample_app"
ENQUEUED = datetime(2026, 3, 2, 12, 0, 0, 123000, tzinfo=UTC)


@pytest.fixture
def worker() -> Iterator[SyncWorker]:
    with SyncWorker(SAMPLE_APP) as worker:
        yield worker


def test_a_function_gets_the_message_and_what_the_broker_says_of_it(
    worker: SyncWorker, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = Delivery(
        body=b'{"a": 1}',
        message_id="m-1",
        delivery_count=3,
        sequence_number=17,
        enqueued_at=ENQUEUED,
        correlation_id="c-1",
        content_type="application/json",
        application_properties={"tenant": "x", "n": 5},
    )
    worker.load("Echo")

    with caplog.at_level(logging.INFO):
        result = worker.invoke("Echo", delivery.trigger_data())

    assert result.succeeded
    assert _echoed(caplog) == {
        "body": '{"a": 1}',
        "message_id": "m-1",
        "delivery_count": 3,
        "sequence_number": 17,
        "enqueued_at": ENQUEUED.isoformat(),
        "correlation_id": "c-1",
        "content_type": "application/json",
        "application_properties": {"tenant": "x", "n": 5},
    }


def test_a_message_with_a_body_alone_is_enough(worker: SyncWorker, caplog: pytest.LogCaptureFixture) -> None:
    worker.load("Echo")

    with caplog.at_level(logging.INFO):
        result = worker.invoke("Echo", Delivery(body=b"").trigger_data())

    assert result.succeeded
    assert (_echoed(caplog)["body"], _echoed(caplog)["message_id"]) == ("", None)


def test_instants_of_a_message_are_aware_and_exact() -> None:
    trigger = Delivery(body=b"x", enqueued_at=ENQUEUED, expires_at=ENQUEUED + timedelta(days=14)).trigger_data()

    message = _decoded(trigger.metadata)

    assert message.enqueued_time_utc == ENQUEUED
    assert message.expires_at_utc == ENQUEUED + timedelta(days=14)


def test_every_metadata_value_can_be_read_by_the_function() -> None:
    metadata = _decoded(Delivery(body=b"x", subject="s", to="t", session_id="i").trigger_data().metadata).metadata

    assert metadata
    assert (metadata["DeliveryCount"], metadata["Subject"], metadata["SessionId"]) == (1, "s", "i")


def test_what_a_function_raises_is_in_the_result(worker: SyncWorker) -> None:
    worker.load("Raises")

    result = worker.invoke("Raises", Delivery(body=b"this").trigger_data())

    assert result.error
    assert result.error.message == "ValueError: no good: this"
    assert "in main" in result.error.stack_trace


def test_each_invocation_of_a_function_that_failed_to_load_fails(worker: SyncWorker) -> None:
    error = worker.load("FailsToLoad")

    results = [worker.invoke("FailsToLoad", Delivery(body=b"x").trigger_data()) for _ in range(2)]

    assert error
    assert "a package is missing" in error.message
    assert [result.error for result in results] == [error, error]


def test_a_timer_tells_whether_it_is_past_due(
    worker: SyncWorker, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECONDS", "0")
    worker.load("Ticks")

    with caplog.at_level(logging.INFO):
        result = worker.invoke("Ticks", timer_data(past_due=True))

    assert result.succeeded
    assert "begin past_due=True" in caplog.messages


def test_an_async_functions_lines_carry_its_invocation(worker: SyncWorker) -> None:
    seen: list[str | None] = []
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(invocation_id_cv.get())  # type: ignore[method-assign]  # a spy
    logging.getLogger().addHandler(handler)
    worker.load("AsyncEcho")
    try:
        logging.getLogger().setLevel(logging.INFO)
        result = worker.invoke("AsyncEcho", Delivery(body=b"x").trigger_data())
    finally:
        logging.getLogger().setLevel(logging.WARNING)
        logging.getLogger().removeHandler(handler)

    assert seen
    assert set(seen) == {result.invocation_id}


def test_a_folder_without_function_json_is_named(worker: SyncWorker) -> None:
    with pytest.raises(AppError, match=r"Nowhere.function\.json"):
        worker.load("Nowhere")


def test_a_function_of_the_same_name_in_another_app_is_refused(worker: SyncWorker, tmp_path: Path) -> None:
    worker.load("Echo")
    folder = tmp_path / "Echo"
    folder.mkdir()
    for file in ("function.json", "__init__.py"):
        (folder / file).write_text((SAMPLE_APP / "Echo" / file).read_text())

    with SyncWorker(tmp_path) as other, pytest.raises(ValueError, match="another app"):
        other.load("Echo")


def test_an_invocation_ends_with_one_line() -> None:
    lines = _invoke_and_log("Echo", timeout_s=None)

    (line,) = lines
    assert line["Properties"]["Category"] == "Function.Echo"
    assert line["Properties"]["LogLevel"] == "Information"
    invocation_id = line["Properties"]["InvocationId"]
    assert line["Message"].startswith(f"Executed 'Functions.Echo' (Succeeded, Id={invocation_id}, Duration=")


def test_a_failed_invocation_says_what_was_raised() -> None:
    (line,) = _invoke_and_log("Raises", timeout_s=60)

    assert line["Properties"]["LogLevel"] == "Error"
    assert "(Failed, Id=" in line["Message"]
    assert "Exception: ValueError: no good: 0.2\nStack: Traceback" in line["Message"]


def test_an_invocation_that_exceeds_the_function_timeout_ends_the_host() -> None:
    ended: list[str] = []

    lines = _invoke_and_log("Slow", timeout_s=0.05, ended=ended)

    assert ended == ["ended"]
    assert "Timeout value of 0.05 s exceeded by 'Functions.Slow'" in lines[0]["Message"]


def _invoke_and_log(name: str, *, timeout_s: float | None, ended: list[str] | None = None) -> list[dict[str, Any]]:
    stream = io.StringIO()

    async def scenario() -> None:
        worker = Worker(SAMPLE_APP)
        await worker.load(name)
        log = HostLog(stream, LogLevels({}), name)
        gone = [] if ended is None else ended
        invocations = Invocations(worker, name, log, timeout_s=timeout_s, give_up=lambda: gone.append("ended"))
        await invocations.invoke(Delivery(body=b"0.2").trigger_data())
        assert not invocations.running

    asyncio.run(scenario())
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def _echoed(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    (text,) = [message for message in caplog.messages if message.startswith("echo ")]
    content: dict[str, Any] = json.loads(text.removeprefix("echo "))
    return content


def _decoded(metadata: Any) -> func.ServiceBusMessage:
    """As the worker decodes it."""
    datums = {key: Datum.from_typed_data(value) for key, value in metadata.items()}
    decoded = ServiceBusMessageInConverter.decode(Datum.from_typed_data(TypedData(bytes=b"x")), trigger_metadata=datums)
    assert isinstance(decoded, func.ServiceBusMessage)
    return decoded
