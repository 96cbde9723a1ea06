"""The campaign's plan, its messages, and the app without a rule: what a seed gives, and that none of it has rotted."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from local.cloud import Cloud
from local.component import REPOSITORY
from local.partner_center.scenarios import NAMED
from tests.chaos import clock_jumps, plan, rules, workload
from tests.chaos.campaign import QUEUE, SETTINGS
from tests.chaos.nemesis import Nemesis


def test_the_same_seed_gives_the_same_plan_and_the_same_messages() -> None:
    assert plan.build(7, requests=300, over_s=30) == plan.build(7, requests=300, over_s=30)
    assert plan.build(7, requests=300, over_s=30) != plan.build(8, requests=300, over_s=30)
    first, second = (workload.build(7, requests=50, invalid=20, over_s=10) for _ in range(2))
    assert first == second


def test_a_full_plan_kills_at_least_twenty_times_and_knows_every_kind() -> None:
    full = Counter(injection.kind for injection in plan.build(1, requests=plan.FULL, over_s=200))
    assert sum(count for kind, count in full.items() if kind.startswith(("kill", "terminate"))) >= 20
    assert set(full) == {kind.name for kind in plan.KINDS}


def test_a_small_plan_has_every_kind_once_and_ends_within_its_time() -> None:
    small = plan.build(1, requests=10, over_s=20)
    assert Counter(injection.kind for injection in small) == {kind.name: 1 for kind in plan.KINDS}
    assert all(0 < injection.at_s < 20 for injection in small)


def test_every_kind_of_fault_can_be_carried_out(tmp_path: Path) -> None:
    nobody: Any = None
    assert {kind.name for kind in plan.KINDS} == set(Nemesis(Cloud(tmp_path), nobody, nobody).kinds)


def test_the_long_outage_is_longer_than_the_deliveries_of_a_message() -> None:
    deliveries, hold_s = QUEUE["max_delivery_count"], float(SETTINGS["STORAGE_HOLD_S"])
    assert isinstance(deliveries, int)
    assert deliveries * hold_s < plan.LONG_OUTAGE_S


def test_messages_hold_as_many_requests_and_invalid_bodies_as_asked_for() -> None:
    work = workload.build(1, requests=500, invalid=100, over_s=10)
    assert 500 <= len(work.keys) <= 502  # a pattern may be of two requests
    assert sum(message.key is None for message in work.messages) == 100
    assert {message.key[0] for message in work.messages if message.key} == set(work.courses)
    assert len({message.message_id for message in work.messages}) == len(work.messages)
    assert len(work.messages) > 600 + 30, "some are sent twice"
    assert any(message.follows for message in work.messages)


def test_the_default_mix_names_only_courses_that_there_are_and_leaves_none_out() -> None:
    assert set(workload.DEFAULT_MIX) <= set(NAMED)
    assert all(weight > 0 for weight in workload.DEFAULT_MIX.values())
    work = workload.build(1, requests=1000, invalid=0, over_s=10)
    assert len(set(work.courses.values())) > 40


def test_another_mix_is_what_occurs() -> None:
    work = workload.build(1, requests=50, invalid=0, over_s=10, mix=workload.mix_from("partly=1,failed=2"))
    assert set(work.courses.values()) == {"partly", "failed"}


@pytest.mark.parametrize("text", ["completes", "no-such-course=1", "completes=many"])
def test_a_mix_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"course|could not convert"):
        workload.mix_from(text)


@pytest.mark.parametrize("rule", sorted(rules.RULES))
def test_the_app_without_a_rule_differs_and_is_still_python(rule: str, tmp_path: Path) -> None:
    app = rules.app_without(rule, tmp_path / "app")
    changed = {change.file for change in rules.RULES[rule]}
    assert changed
    for name in changed:
        text = (app / name).read_text()
        assert text != (REPOSITORY / name).read_text()
        compile(text, name, "exec")


def test_a_clock_that_jumps_loses_and_doubles_nothing() -> None:
    assert [problem for seed in range(40) for problem in clock_jumps.simulate(seed)] == []
