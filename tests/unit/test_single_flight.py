"""One call at a time: who comes while it is under way shares its end."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from shared import single_flight
from shared.single_flight import SingleFlight

THREADS = 50


@pytest.fixture
def all_others_wait(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set once all threads but the one that calls have come to wait for it."""
    arrived = threading.Semaphore(THREADS - 2)
    all_there = threading.Event()

    class Counted(Future[object]):
        def result(self, timeout: float | None = None) -> object:
            if not arrived.acquire(blocking=False):
                all_there.set()
            return super().result(timeout)

    monkeypatch.setattr(single_flight, "Future", Counted)
    return all_there


def outcomes(flight: SingleFlight[object], call: Callable[[], object]) -> list[object]:
    def outcome(_: int) -> object:
        try:
            return flight.run(call)
        except OSError as error:
            return error

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(outcome, range(THREADS)))


def test_all_share_one_result(all_others_wait: threading.Event) -> None:
    calls: list[object] = []

    def call() -> object:
        calls.append(object())
        assert all_others_wait.wait(10)
        return calls[0]

    shared = outcomes(SingleFlight(), call)
    assert len(calls) == 1
    assert all(result is calls[0] for result in shared)


def test_all_share_one_failure(all_others_wait: threading.Event) -> None:
    failures: list[OSError] = []

    def call() -> object:
        failures.append(OSError("out"))
        assert all_others_wait.wait(10)
        raise failures[0]

    shared = outcomes(SingleFlight(), call)
    assert len(failures) == 1
    assert all(error is failures[0] for error in shared)


def test_whoever_comes_after_the_end_calls_anew() -> None:
    flight = SingleFlight[int]()
    assert [flight.run(lambda: 1), flight.run(lambda: 2)] == [1, 2]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failure_is_not_remembered(error: type[BaseException]) -> None:
    flight = SingleFlight[int]()

    def fail() -> int:
        raise error

    with pytest.raises(error):
        flight.run(fail)
    assert flight.run(lambda: 2) == 2
