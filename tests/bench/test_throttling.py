"""What a limit would have let through, and what was made of it."""

import pytest

from bench.contenders import APP, TEXTBOOK
from bench.limits import Use, allowed, last_result_s, let_through, shortest_s, use_of
from bench.scenarios import outage, throttling
from local.ledger_calls import Call
from local.partner_center.gateway import BucketLimiter, WindowLimiter
from local.partner_center.switches import Bucket, Window

WINDOW = Window(calls=60, per_s=10)
BUCKET = Bucket(rate_per_s=10, burst=20)


def call(started_s: float, kind: str = "create", http: int | None = 202) -> Call:
    return Call(
        sequence=int(started_s * 10),
        kind=kind,
        correlation_id="",
        ms_request_id="",
        upgrade_id=None,
        created=False,
        started_s=started_s,
        ended_s=started_s + 0.2,
        http=http,
        code=None,
        seen=True,
    )


def test_a_window_allows_all_its_calls_at_its_start() -> None:
    assert [allowed(WINDOW, elapsed_s) for elapsed_s in (0, 9.9, 10, 25)] == [60, 60, 120, 180]


def test_a_bucket_allows_its_burst_and_then_its_rate() -> None:
    assert [allowed(BUCKET, elapsed_s) for elapsed_s in (0, 1, 60)] == [20, 30, 620]


def test_the_fake_s_window_lets_through_what_is_counted_as_allowed_and_no_more() -> None:
    limiter = WindowLimiter(WINDOW)
    waits_s = [limiter.wait_s(1000 + window * 10) for window in range(4) for _ in range(61)]
    assert waits_s.count(0) == allowed(WINDOW, 30)


def test_the_fake_s_bucket_lets_through_what_is_counted_as_allowed_and_no_more() -> None:
    bucket = Bucket(rate_per_s=8, burst=20)  # eighths are exact
    limiter = BucketLimiter(bucket)
    at_once = [limiter.wait_s(1000) for _ in range(20)]
    waits_s = at_once + [limiter.wait_s(1000 + number / 8) for number in range(1, 241)]
    assert waits_s.count(0) == len(waits_s) == allowed(bucket, 30)
    assert limiter.wait_s(1030) > 0


@pytest.mark.parametrize("limit", [WINDOW, BUCKET])
@pytest.mark.parametrize("calls", [1, 60, 61, 4000])
def test_the_shortest_time_is_when_so_many_are_allowed(limit: Window | Bucket, calls: int) -> None:
    shortest = shortest_s(limit, calls)
    assert allowed(limit, shortest) >= calls
    assert shortest == 0 or allowed(limit, shortest - 0.1) < calls


def test_refused_calls_and_those_after_the_last_result_do_not_count_as_let_through() -> None:
    calls = [call(100), call(101, http=429), call(104, "status", 200), call(104.5, "status", 429), call(300)]
    until_s = last_result_s(calls)
    assert until_s == 104
    use = use_of(BUCKET, calls, until_s)
    assert use == Use(passed=2, refused=1, allowed=60, lasted_s=4)
    assert (use.used, use.refused_share) == (2 / 60, 1 / 3)


def test_a_status_call_without_an_answer_is_no_result() -> None:
    assert last_result_s([call(1), call(2, "status", 503), call(3, "status", None)]) is None


def test_a_curve_has_few_points_and_ends_with_the_last_call() -> None:
    calls = [call(100 + number / 10, http=429 if number % 2 else 202) for number in range(4001)]
    curve = let_through(calls, points=100)
    assert len(curve) <= 102
    assert curve[0] == (0, 1)
    assert curve[-1] == pytest.approx((400, 2001))


def test_the_table_of_a_limit_judges_the_app_alone() -> None:
    good = throttling.Run(Use(96, 4, 100, 20.0), ended=50, dead=0, curve=(), cores="")
    bad = throttling.Run(Use(50, 50, 100, 20.0), ended=30, dead=20, curve=(), cores="")
    assert [row.met for row in throttling.table("bucket", 50, {APP: [good], TEXTBOOK: [bad]})] == [True] * 4 + [None]
    assert [row.met for row in throttling.table("bucket", 50, {APP: [bad], TEXTBOOK: [good]})] == [False] * 4 + [None]


def test_a_drain_is_measured_from_the_first_answer_after_the_outage() -> None:
    calls = [call(100, http=503), call(160.5, http=503), call(165), call(165.1), call(175, "status", 200)]
    drain = outage.drain_of(calls, outage_ended_s=160)
    assert drain == outage.Drain(noticed_s=5, drained_s=15, used=3 / 120)


def test_there_is_no_drain_where_nothing_was_left() -> None:
    assert outage.drain_of([call(100, http=503)], outage_ended_s=160) is None
    run = outage.Run(ended=0, dead=5, in_vain=50, drain=None, cores="")
    rows = outage.table(5, {APP: [run], TEXTBOOK: [run]})
    assert [row.met for row in rows] == [False, False, None, None, False, None]
