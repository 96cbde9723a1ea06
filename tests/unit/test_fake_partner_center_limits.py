"""The fake Partner Center's switches: outages, latency and limits for everybody."""

import pytest

from local.partner_center.gateway import BucketLimiter, WindowLimiter
from local.partner_center.switches import Bucket, SwitchError, Window
from tests.unit.fake_partner_center import OTHER_CUSTOMER, Driver, summary


@pytest.fixture
def driver() -> Driver:
    return Driver()


def test_a_window_lets_its_calls_pass_and_tells_how_long_the_rest_waits() -> None:
    limiter = WindowLimiter(Window(calls=2, per_s=10))
    assert [limiter.wait_s(now_s) for now_s in (100, 101, 103, 109.5, 110)] == [0, 0, 7, 0.5, 0]


def test_a_bucket_lets_a_burst_pass_and_then_its_rate() -> None:
    limiter = BucketLimiter(Bucket(rate_per_s=2, burst=3))
    assert [limiter.wait_s(0) for _ in range(3)] == [0, 0, 0]
    wait_s = limiter.wait_s(0)
    assert wait_s == 1  # half a second for the debt of this call, half a second for the next one's token
    assert limiter.wait_s(wait_s) == 0


def test_calls_that_a_bucket_refuses_make_the_wait_longer_up_to_a_bound() -> None:
    limiter = BucketLimiter(Bucket(rate_per_s=1, burst=2))
    waits_s = [limiter.wait_s(0) for _ in range(7)]
    assert waits_s == [0, 0, 2, 3, 3, 3, 3]
    assert limiter.wait_s(3) == 0


def test_a_bucket_fills_no_higher_than_its_burst() -> None:
    limiter = BucketLimiter(Bucket(rate_per_s=1, burst=2))
    limiter.wait_s(0)
    assert [limiter.wait_s(1000) > 0 for _ in range(3)] == [False, False, True]


def test_a_limit_counts_every_call_of_every_customer(driver: Driver) -> None:
    driver.world.board.turn({"api_window": {"calls": 3, "per_s": 7.5}})
    driver.create(authorization="Bearer unknown")
    driver.create()
    driver.eligibility()
    refused = driver.create(OTHER_CUSTOMER)
    assert (summary(refused), refused.headers["Retry-After"]) == ("429", "8")
    driver.clock.now_s += 8
    assert driver.create(OTHER_CUSTOMER).http == 202


def test_a_call_that_a_limit_refuses_takes_no_step(driver: Driver) -> None:
    driver.play("server-error-then-ok")
    driver.world.board.turn({"api_bucket": {"rate_per_s": 1, "burst": 1}})
    assert [driver.create().http for _ in range(2)] == [503, 429]
    driver.world.board.turn({"api_bucket": None})
    assert [driver.create().http for _ in range(2)] == [503, 202]


@pytest.mark.parametrize(("outage", "answer"), [("unavailable", "503 800003"), ("html", "503"), ("reset", "cut")])
def test_an_outage_lasts_until_it_is_lifted_and_nothing_is_done(driver: Driver, outage: str, answer: str) -> None:
    driver.world.board.turn({"api_outage": outage})
    call = driver.call("create")
    assert [summary(driver.answer(call)) for _ in range(2)] == [answer] * 2
    assert driver.upgrades() == []
    driver.world.board.turn({"api_outage": None})
    assert driver.answer(call).http == 202


def test_latency_is_added_to_each_answer(driver: Driver) -> None:
    driver.world.board.turn({"api_latency_s": 0.25})
    driver.play("slow-answer")
    assert [driver.create().late_s, driver.create().late_s] == [3.25, 0.25]


def test_a_switch_that_is_not_named_stays(driver: Driver) -> None:
    driver.world.board.turn({"api_latency_s": 1})
    switches = driver.world.board.turn({"require_mfa": False})
    assert (switches.api_latency_s, switches.require_mfa) == (1, False)


@pytest.mark.parametrize(
    "changes",
    [
        {"latency": 1},
        {"api_latency_s": "much"},
        {"api_outage": "fire"},
        {"token_outage": True},
        {"token_error": "invalid"},
        {"token_error": 1},
        {"require_mfa": "no"},
        {"api_window": {"calls": 1}},
        {"api_bucket": {"rate": 1, "burst": 1}},
        {"api_bucket": 3},
    ],
)
def test_a_switch_that_makes_no_sense_is_refused_and_changes_nothing(
    driver: Driver, changes: dict[str, object]
) -> None:
    before = driver.world.board.switches
    with pytest.raises(SwitchError):
        driver.world.board.turn({"api_latency_s": 9} | changes)
    assert driver.world.board.switches == before
