"""A small fault campaign: every kind of fault once, and nothing lost, doubled or untrue.

`make test` runs it after all others, by itself: it judges when calls arrive.
"""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos import campaign, workload
from tests.chaos.campaign import Size
from tests.chaos.invariants import check, history

SEED = 6
SIZE = Size(requests=120, invalid=80, over_s=16)


@pytest.fixture(autouse=True)
def sockets_are_collected_here() -> Iterator[None]:
    """azure-servicebus leaves those of connections that were reset to the garbage collector."""
    yield
    gc.collect()


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(200)  # a slow machine has to start the whole cloud, too
def test_a_small_campaign_finds_nothing_wrong(tmp_path: Path) -> None:
    outcome = campaign.run(tmp_path, seed=SEED, size=SIZE, mix=workload.quick_mix())
    found = [
        (violation, history(outcome.record, violation.key) if violation.key else [])
        for violation in check(outcome.record)
    ]
    assert not found
    assert not outcome.problems
    assert outcome.deaths > 2
    assert sum(outcome.injected.values()) > 30
