"""The whole cloud with the functions, once for all tests of this folder: each uses customers of its own."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.cloud import Cloud, environment, running
from local.observer import Look, Observer, observing


@pytest.fixture(scope="package")  # its environment is not that of the other folders' tests
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder: Path = tmp_path_factory.mktemp("cloud")
    with running(Cloud(folder)) as started, environment(started.client_environment):
        started.start_functions()
        yield started


@pytest.fixture(scope="package")
def observer(cloud: Cloud) -> Iterator[Observer]:
    with observing(cloud) as found:
        yield found


@pytest.fixture
def wait_for(cloud: Cloud, observer: Observer) -> Callable[[Callable[[Look], bool]], Look]:
    """Looks until the condition holds; dead functions are started again meanwhile, as the platform does."""

    def wait(holds: Callable[[Look], bool], timeout_s: float = 45) -> Look:
        ends = time.monotonic() + timeout_s
        while True:
            look = observer.look()
            if holds(look):
                return look
            assert time.monotonic() < ends, look
            cloud.restart_dead_functions()
            time.sleep(0.1)

    return wait
