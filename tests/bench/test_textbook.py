"""The textbook function: fair in its triggers, right where nothing goes wrong, and measured by what really happened."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.contenders import TEXTBOOK
from bench.measured_cloud import MeasuredCloud, measured_cloud
from local.component import REPOSITORY

FILES = ("host.json", "CreateUpgrade/function.json", "PollUpgrade/function.json")


@pytest.mark.parametrize("name", FILES)
def test_it_has_the_app_s_own_host_and_triggers(name: str) -> None:
    assert (TEXTBOOK.folder / name).read_bytes() == (REPOSITORY / name).read_bytes()


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MeasuredCloud]:
    folder: Path = tmp_path_factory.mktemp("bench")
    queue = {"lock_s": 10, "max_delivery_count": 2}
    with measured_cloud(folder, TEXTBOOK, queue=queue) as started:
        started.start_functions({"CreateUpgrade": 1, "PollUpgrade": 1})
        yield started


def test_it_completes_requests_and_dead_letters_them_in_an_outage(cloud: MeasuredCloud) -> None:
    before, mark = cloud.external_calls(), cloud.mark()
    cloud.send(3, course={"polls": 1})
    assert cloud.wait_for_end(timeout_s=25)
    assert cloud.wait_until(lambda: cloud.results() == 3, timeout_s=5, every_s=0.1)
    assert cloud.upgrades() == {"completed": 3}
    assert [call.kind for call in cloud.calls(since=mark) if call.is_accepted].count("create") == 3
    assert (cloud.external_calls() - before)["token"] >= 3  # one an invocation
    assert min(cloud.cpu().values()) >= 0
    assert cloud.functions_cpu_s() > 0
    cloud.switch(api_outage="unavailable")
    cloud.send(1)
    assert cloud.wait_for_end(timeout_s=20)
    assert (cloud.dead_letters(), cloud.results()) == (1, 3)
