"""A small fault campaign: every kind of fault once, and nothing lost, doubled or untrue."""

from pathlib import Path

import pytest

from tests.chaos import campaign
from tests.chaos.campaign import Size
from tests.chaos.invariants import check, history

SEED = 6
SIZE = Size(requests=120, invalid=80, over_s=16)


@pytest.mark.timeout(150)  # a slow machine has to start the whole cloud, too
def test_a_campaign_finds_nothing_wrong(tmp_path: Path) -> None:
    outcome = campaign.run(tmp_path, seed=SEED, size=SIZE)
    found = [
        (violation, history(outcome.record, violation.key) if violation.key else [])
        for violation in check(outcome.record)
    ]
    assert not found
    assert not outcome.problems
    assert outcome.deaths > 2
    assert sum(outcome.injected.values()) > 30
