"""The functions host as a process, with a real broker process and the sample app beside this file."""

import json
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local.component import Component, start
from tests.contract.functions_host_probes import (
    DEADLINE_S,
    QUEUES,
    SAMPLE_APP,
    Host,
    Queue,
    most_at_once,
    sample_app,
    start_broker,
    wait_for,
)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("functions-host")


@pytest.fixture(scope="module")
def broker(logs: Path) -> Iterator[Component]:
    component = start_broker(logs)
    yield component
    component.stop()


@pytest.fixture(scope="module")
def queues(broker: Component) -> Iterator[Mapping[str, Queue]]:
    queues = {name: Queue(name, broker.facts["connection_string"]) for name in QUEUES}
    yield queues
    with ThreadPoolExecutor(len(queues)) as pool:
        list(pool.map(Queue.close, queues.values()))


@pytest.fixture
def work(queues: Mapping[str, Queue]) -> Queue:
    return queues["work"]


@pytest.fixture
def short_lock(queues: Mapping[str, Queue]) -> Queue:
    return queues["short-lock"]


@pytest.fixture
def start_host(logs: Path, broker: Component) -> Iterator[Callable[..., Host]]:
    """`start_host("Echo", queue="work")`; `connection_string` other than the broker's; more settings by name."""
    hosts: list[Host] = []

    def start_one(function: str, *more: str, app: Path = SAMPLE_APP, queue: str = "work", **settings: str) -> Host:
        connection_string = settings.pop("connection_string", broker.facts["connection_string"])
        env = {"QUEUE": queue, "ServiceBus": connection_string, "PYTHON_THREADPOOL_THREAD_COUNT": "4", **settings}
        arguments = ("--app", str(app), "--function", function, *more)
        host = Host(start("local.functions_host", *arguments, log=logs / "host.log", env=env))
        hosts.append(host)
        return host

    yield start_one
    for host in hosts:
        host.component.process.kill()
        host.component.stop()


StartHost = Callable[..., Host]


def test_a_message_whose_function_succeeds_is_completed(start_host: StartHost, work: Queue) -> None:
    host = start_host("Echo")
    work.send("hello", correlation_id="c-1")

    wait_for(lambda: host.count("Executed") and not work.waiting())
    host.kill()

    assert host.component.facts["listening"] is True
    echoed = json.loads(host.messages("Echo.User")[0].removeprefix("echo "))
    assert (echoed["body"], echoed["delivery_count"], echoed["correlation_id"]) == ("hello", 1, "c-1")
    assert "(Succeeded, Id=" in host.messages("Function.Echo")[1]


def test_a_message_whose_function_raises_is_redelivered_until_it_is_dead_lettered(
    start_host: StartHost, work: Queue
) -> None:
    host = start_host("Raises")
    work.send("bad")

    wait_for(lambda: "bad" in work.dead_letters())
    host.kill()

    assert host.count("Executed 'Functions.Raises' (Failed") == 3
    assert {line["Properties"]["LogLevel"] for line in host.lines} == {"Error"}
    assert "Exception: ValueError: no good: bad" in host.messages()[0]


def test_a_function_that_fails_to_load_burns_the_deliveries(start_host: StartHost, work: Queue) -> None:
    host = start_host("FailsToLoad")
    work.send("innocent")

    wait_for(lambda: "innocent" in work.dead_letters())
    host.kill()

    assert host.component.facts["listening"] is True
    assert "a package is missing" in host.messages("Host.Startup")[0]
    assert host.count("Executed 'Functions.FailsToLoad' (Failed") == 3


def test_a_slow_function_keeps_its_message_because_the_lock_is_renewed(
    start_host: StartHost, short_lock: Queue
) -> None:
    host = start_host("Slow", queue="short-lock")
    short_lock.send("1.5")

    wait_for(lambda: host.count("Executed") and not short_lock.waiting())
    host.kill()

    assert host.count("begin") == host.count("end") == 1
    assert host.messages("Host") == []


def test_a_lock_is_not_renewed_past_its_longest_time(start_host: StartHost, short_lock: Queue, tmp_path: Path) -> None:
    app = sample_app(tmp_path, serviceBus={"maxConcurrentCalls": 1, "maxAutoLockRenewalDuration": "00:00:00.3"})
    host = start_host("Slow", app=app, queue="short-lock")
    short_lock.send("0.9")

    wait_for(lambda: host.count("begin") == 2)
    host.kill()

    (failure,) = host.messages("Host.Triggers.ServiceBus")
    assert failure.startswith("Complete of message")
    assert short_lock.take() == [("0.9", 2)]


def test_concurrency_reaches_max_concurrent_calls_and_never_exceeds_it(start_host: StartHost, work: Queue) -> None:
    host = start_host("Slow")
    work.send(*["0.2"] * 6)

    wait_for(lambda: host.count("Executed") == 6 and not work.waiting())
    host.kill()

    assert most_at_once(host) == 2


def test_a_drain_ends_what_runs_and_loses_nothing(start_host: StartHost, work: Queue) -> None:
    host = start_host("Slow")
    work.send(*["0.5"] * 4)
    wait_for(lambda: host.count("begin") == 2)

    code = host.stop()

    assert code == 0
    assert host.count("begin") == host.count("end") == host.count("Executed 'Functions.Slow' (Succeeded") == 2
    assert work.take() == [("0.5", 0)] * 2


def test_a_drain_that_takes_too_long_leaves_the_rest_to_the_lock(start_host: StartHost, short_lock: Queue) -> None:
    host = start_host("Slow", "--drain-s", "0.2", queue="short-lock")
    short_lock.send("5")
    wait_for(lambda: host.count("begin"))

    code = host.stop()

    assert code == 0
    assert host.messages()[-1] == "Stopped with 1 invocations under way"
    assert short_lock.take() == [("5", 1)]


def test_the_end_of_standard_input_ends_it_as_sigterm_does(start_host: StartHost) -> None:
    process = start_host("Ticks", SCHEDULE="01:00:00", SECONDS="0").component.process

    assert process.stdin
    process.stdin.close()

    assert process.wait(DEADLINE_S) == 0


def test_an_idle_host_that_stops_leaves_no_message_locked(start_host: StartHost, work: Queue) -> None:
    host = start_host("Echo")
    work.send("first")
    wait_for(lambda: host.count("Executed") and not work.waiting())
    host.stop()

    work.send("second")

    assert work.take() == [("second", 0)]


def test_a_message_whose_host_was_killed_is_redelivered_after_the_lock(
    start_host: StartHost, short_lock: Queue
) -> None:
    killed = start_host("Slow", queue="short-lock")
    short_lock.send("0.3", message_id="m")
    wait_for(lambda: killed.count("begin"))
    killed.kill()

    host = start_host("Slow", queue="short-lock")
    wait_for(lambda: host.count("Executed") and not short_lock.waiting())
    host.kill()

    assert killed.count("end") == 0
    assert host.messages("User") == ["begin m 2", "end m"]


def test_a_host_outlives_its_broker(start_host: StartHost, logs: Path, tmp_path: Path) -> None:
    state = str(tmp_path / "broker")
    broker = start_broker(logs, "--state", state)
    host = start_host("Slow", connection_string=broker.facts["connection_string"])
    queue = Queue("work", broker.facts["connection_string"])
    queue.send("0.8", message_id="m")
    wait_for(lambda: host.count("begin"))
    queue.close()
    broker.stop(sig=signal.SIGKILL)
    wait_for(lambda: host.count("No connection to queue 'work'"))

    broker = start_broker(logs, "--state", state, "--port", str(broker.facts["port"]))
    wait_for(lambda: host.count("Executed 'Functions.Slow' (Succeeded") == 2)
    host.kill()
    broker.stop()

    assert host.messages("User") == ["begin m 1", "end m", "begin m 2", "end m"]
    assert host.count("No connection") == host.count("Connected to queue") == 1


def test_a_host_is_ready_before_its_broker_is(start_host: StartHost) -> None:
    nowhere = "Endpoint=sb://localhost:1;SharedAccessKeyName=k;SharedAccessKey=k;UseDevelopmentEmulator=true;"

    host = start_host("Echo", connection_string=nowhere)

    assert host.component.facts["listening"] is True
    wait_for(lambda: host.count("No connection to queue"))
    assert host.stop() == 0


def test_a_namespace_is_reached_with_the_apps_identity(
    start_host: StartHost, broker: Component, work: Queue, logs: Path
) -> None:
    identity = start("local.identity", log=logs / "identity.log")
    settings = {
        "ServiceBus__fullyQualifiedNamespace": f"localhost:{broker.facts['port']}",
        "ServiceBus__credential": "managedidentity",
        "ServiceBus__clientId": identity.facts["environment"]["AZURE_CLIENT_ID"],
    }
    host = start_host("Echo", connection_string="", **identity.facts["environment"], **settings)
    work.send("hello")

    wait_for(lambda: host.count("Executed 'Functions.Echo' (Succeeded") and not work.waiting())
    host.kill()
    identity.stop()


def test_only_lines_of_a_running_invocation_are_logged(start_host: StartHost, work: Queue) -> None:
    host = start_host("LogsFromThreads")
    work.send("one", "two")
    wait_for(lambda: host.count("Executed") == 2 and not work.waiting())
    time.sleep(0.2)  # what must not come could come until then
    host.kill()

    logged = set(host.user_lines())
    ids = dict(logged)
    assert logged == {
        (message, ids[f"in main {body}"])
        for body in ("one", "two")
        for message in (f"in main {body}", "with context", "with borrowed id")
    }
    assert len(set(ids.values())) == 2


def test_an_async_function_runs_and_its_lines_are_told_apart(start_host: StartHost, work: Queue) -> None:
    host = start_host("AsyncEcho")
    work.send("one", "two", "three")
    wait_for(lambda: host.count("Executed") == 3 and not work.waiting())
    host.kill()

    logged = [(*message.split(), invocation_id) for message, invocation_id in host.user_lines()]
    ids = {name: invocation_id for _, name, invocation_id in logged}
    assert len(set(ids.values())) == 3
    assert sorted(logged) == sorted((when, name, ids[name]) for when in ("before", "after") for name in ids)


def test_host_json_filters_by_category(start_host: StartHost, work: Queue, tmp_path: Path) -> None:
    app = sample_app(tmp_path, logLevel={"Function.Echo": "Warning", "Function.Echo.User": "Information"})
    host = start_host("Echo", app=app)
    work.send("x")
    wait_for(lambda: host.count("echo") and not work.waiting())
    host.kill()

    assert [line["Properties"]["Category"] for line in host.lines] == ["Function.Echo.User"]


def test_an_invocation_past_the_function_timeout_ends_the_host(
    start_host: StartHost, short_lock: Queue, tmp_path: Path
) -> None:
    host = start_host("Slow", app=sample_app(tmp_path, functionTimeout="00:00:00.3"), queue="short-lock")
    short_lock.send("5")

    assert host.component.process.wait(DEADLINE_S) == 1

    host.kill()
    assert "Timeout value of 0.3 s exceeded" in host.messages()[-1]
    assert short_lock.take() == [("5", 1)]


def test_a_missing_app_setting_leaves_the_host_up_without_a_listener(start_host: StartHost) -> None:
    host = start_host("Unbound")

    assert host.component.facts["listening"] is False
    assert host.stop() == 0
    assert host.messages() == ["The 'Unbound' function is in error: '%NOWHERE%' does not resolve to a value"]


def test_a_timer_does_not_overlap_and_catches_up_once(start_host: StartHost) -> None:
    host = start_host("Ticks", SCHEDULE="00:00:00.2", SECONDS="0.7")
    wait_for(lambda: host.count("end") >= 4)
    assert host.stop() == 0

    runs = [f"begin past_due={past_due}" for past_due in (False, True, False, False)]
    assert host.messages("User")[:8] == [message for run in runs for message in (run, "end")]
