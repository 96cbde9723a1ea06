"""Scenarios 2 and 3: what is computed of the runs that they share."""

from collections import Counter
from dataclasses import replace

import pytest

from bench.contenders import APP, BOTH, TEXTBOOK
from bench.cpu_profile import Profile, by_package
from bench.creating import Creation, created_per_s
from bench.figures import Figure, Row
from bench.one_call_app import ONE_CALL
from bench.scenarios import cost, throughput
from local.component import REPOSITORY
from tests.bench.ledger import call

RUN = Creation(concurrency=32, per_s=80, store_per_s=100, cpu_ms=10, cores="functions 0.90 of 2 cores")

NO_PROFILES = {APP: [Profile()], TEXTBOOK: [Profile()]}


def _row(rows: tuple[Row, ...], measured: str) -> Row:
    (row,) = [row for row in rows if row.measured == measured]
    return row


def test_the_rate_of_creates_reaches_from_the_first_start_to_the_last_end() -> None:
    rounds = [call("create", 10 + 0.2 * turn, 10.2 + 0.2 * turn, created=True) for turn in range(5) for _ in range(16)]
    assert created_per_s(rounds) == pytest.approx(16 / 0.2)


def test_a_call_that_created_nothing_does_not_count_as_a_create() -> None:
    calls = [call("create", 0, 1, created=True), call("create", 1, 9), call("status", 2, 9)]
    assert created_per_s(calls) == 1


@pytest.mark.parametrize(("store_per_s", "limit_per_s"), [(100, 100), (1000, 160)])
def test_the_limit_is_the_smaller_of_latency_and_tables(store_per_s: float, limit_per_s: float) -> None:
    run = replace(RUN, store_per_s=store_per_s)
    assert run.limit_per_s == limit_per_s
    assert run.percent_of_limit == pytest.approx(100 * 80 / limit_per_s)


@pytest.mark.parametrize(("rates", "met"), [((84, 86, 99), True), ((84, 84.9, 99), False)])
def test_the_goal_of_creates_is_judged_by_the_median_share_of_the_limit(rates: tuple[float, ...], *, met: bool) -> None:
    app = [replace(RUN, per_s=rate) for rate in rates]
    outcome = throughput.outcome({32: {APP: app, TEXTBOOK: [RUN], ONE_CALL: [RUN]}})
    share = _row(outcome.rows, "32 at once: share of the limit")
    assert share.met is met
    assert share.app == Figure(rates, "%")
    assert _row(outcome.rows, "32 at once: creates/s").limit == Figure((100.0,) * 3)


def test_the_plot_of_creates_shows_each_contender_and_both_limits() -> None:
    runs = {contender: [RUN] for contender in (*BOTH, ONE_CALL)}
    (plot,) = throughput.outcome({16: runs, 32: runs}).plots
    curves = {curve.name: curve.points for curve in plot.curves}
    assert curves["calls at once / latency"] == ((16, 80), (32, 160))
    assert curves["this app"] == ((16, 80), (32, 80))
    assert len(curves) == 5


@pytest.mark.parametrize(("textbook_ms", "met"), [(50, True), (49, False)])
def test_the_goal_of_cpu_is_a_fifth_of_the_textbook_function(textbook_ms: float, *, met: bool) -> None:
    runs = {APP: [RUN], ONE_CALL: [replace(RUN, cpu_ms=3)], TEXTBOOK: [replace(RUN, cpu_ms=textbook_ms)]}
    outcome = cost.outcome({32: runs}, {APP: [{}], TEXTBOOK: [{}]}, NO_PROFILES)
    row = _row(outcome.rows, "32 at once: CPU per created upgrade")
    assert (row.limit, row.app, row.met) == (Figure((3,), "ms"), Figure((10,), "ms"), met)


@pytest.mark.parametrize(("key_vault", "met"), [(0.0, True), (1.0, False)])
def test_calls_that_are_made_anew_for_each_upgrade_miss_the_goal(key_vault: float, *, met: bool) -> None:
    calls = {APP: [{"key_vault": key_vault, "create": 1.0, "tables": 3.0}], TEXTBOOK: [{"key_vault": 2.0}]}
    outcome = cost.outcome({16: {APP: [RUN], TEXTBOOK: [RUN], ONE_CALL: [RUN]}}, calls, NO_PROFILES)
    vault = _row(outcome.rows, "calls per upgrade: Key Vault")
    assert (vault.textbook, vault.met) == (Figure((2.0,)), met)
    tables = _row(outcome.rows, "calls per upgrade: tables")
    assert (tables.app, tables.goal, tables.met) == (Figure((3.0,)), "", None)


def test_the_samples_of_a_profile_share_out_the_cpu_of_an_upgrade() -> None:
    runs = {APP: [replace(RUN, cpu_ms=12)], ONE_CALL: [RUN], TEXTBOOK: [RUN]}
    profiles = {APP: [Profile(Counter({"the tables' SDK": 1, "host and worker": 3}))], TEXTBOOK: [Profile()]}
    outcome = cost.outcome({16: runs, 64: {who: [RUN] for who in runs}}, {APP: [{}], TEXTBOOK: [{}]}, profiles)
    row = _row(outcome.rows, "16 at once, of that: host and worker")
    assert (row.app, row.textbook) == (Figure((9.0,), "ms"), "none")


def test_a_sample_counts_for_the_innermost_package_and_the_standard_library_for_its_caller() -> None:
    outer = (
        f"run (threading.py:1);touch ({REPOSITORY}/shared/polling.py:20);send (site-packages/azure/core/pipeline.py:3)"
    )
    assert by_package([f"{outer};send (site-packages/requests/sessions.py:7);read (ssl.py:9) 4"]) == {
        "HTTP: requests, urllib3": 4
    }
    assert by_package([f"{outer} 2", "main (threading.py:1) 1"]) == {"the tables' SDK": 2, "others": 1}
