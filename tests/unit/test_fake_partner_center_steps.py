"""The fake Partner Center's kinds of step, and the JSON that scenarios are written in."""

import base64
import json
from email.utils import parsedate_to_datetime

import pytest

from local.partner_center.replies import Stream
from local.partner_center.script import resolve
from local.partner_center.steps import ScenarioError
from tests.unit.fake_partner_center import CUSTOMER, OTHER_CUSTOMER, Driver, summary


@pytest.fixture
def driver() -> Driver:
    return Driver()


@pytest.mark.parametrize(
    ("retry_after", "header"), [(1, "1"), (57, "57"), ("soon", "soon"), ("-3", "-3"), ("", ""), (None, None)]
)
def test_a_retry_after_is_sent_as_it_is_written(driver: Driver, retry_after: object, header: str | None) -> None:
    driver.play({"create": [{"do": "throttle", "retry_after": retry_after}]})
    reply = driver.create()
    assert reply.headers.get("Retry-After") == header
    assert ("Try again in" in json.loads(reply.body)["message"]) == bool(header and header.isdigit())


def test_a_retry_after_may_be_an_http_date_in_the_future(driver: Driver) -> None:
    driver.play({"create": [{"do": "throttle", "retry_after": "{date+20}"}]})
    driver.clock.now_s += 0.4
    at = parsedate_to_datetime(driver.create().headers["Retry-After"])
    assert 20 <= at.timestamp() - driver.clock.now_s <= 21


def test_a_slow_step_waits_before_or_after_it_acts(driver: Driver) -> None:
    then = {"do": "refuse", "http": 403, "code": 900108}
    driver.play({"create": [{"do": "slow", "seconds": 7, "then": then}, {"do": "slow", "seconds": 8, "when": "after"}]})
    service = driver.world.service
    before, after = (service.arrive(driver.call("create")) for _ in range(2))
    refused, late = service.act(before), service.act(after)
    assert (before.wait_s, refused.late_s, summary(refused)) == (7, 0, "403 900108")
    assert (after.wait_s, late.late_s, summary(late)) == (0, 8, "202")


def test_a_raw_answer_is_sent_as_it_is_written(driver: Driver) -> None:
    body = b"\x1f\x8b\xff{id}"
    headers = {"Content-Encoding": "gzip", "X-Upgrade": "{id} of {customerId} at {api}"}
    encoded = base64.b64encode(body).decode()
    driver.play({"create": [{"do": "answer", "http": 299, "headers": headers, "base64": encoded, "acts": True}]})
    reply = driver.create()
    upgrade_id = driver.upgrades()[0]["id"]
    assert (reply.http, reply.body) == (299, b"\x1f\x8b\xff" + upgrade_id.encode())
    assert reply.headers == {
        "Content-Encoding": "gzip",
        "X-Upgrade": f"{upgrade_id} of {CUSTOMER} at http://api.test",
    }


def test_a_redirect_leads_where_it_says(driver: Driver) -> None:
    driver.play({"create": [{"do": "redirect", "to": "{api}/there", "http": 302}]})
    reply = driver.create()
    assert (reply.http, reply.headers["Location"]) == (302, "http://api.test/there")


def test_streams_begin_with_the_true_answer(driver: Driver) -> None:
    driver.play({"status": [{"do": "drip", "interval_s": 0.5}, {"do": "endless"}]})
    driver.create()
    dripping, endless = driver.status(), driver.status()
    assert dripping.stream == Stream(b" ", 0.5)
    assert json.loads(dripping.body)["status"] == "InProgress"
    assert endless.stream
    assert endless.stream.interval_s == 0
    assert json.loads(endless.body)["status"] == "Completed"


def test_steps_are_taken_in_order_and_end(driver: Driver) -> None:
    driver.play({"create": [{"do": "error", "times": 2}, {"do": "throttle"}, {"do": "error", "http": 500}]})
    assert [driver.create().http for _ in range(6)] == [503, 503, 429, 500, 202, 409]


def test_a_repeated_step_never_ends(driver: Driver) -> None:
    driver.play({"create": [{"do": "normal"}, {"do": "error", "repeat": True}, {"do": "throttle"}]})
    assert [driver.create().http for _ in range(5)] == [202, 503, 503, 503, 503]


def test_kinds_of_calls_and_customers_have_steps_of_their_own(driver: Driver) -> None:
    for customer in (CUSTOMER, OTHER_CUSTOMER):
        driver.play({kind: [{"do": "error"}] for kind in ("create", "status", "eligibility")}, customer)
    for customer in (CUSTOMER, OTHER_CUSTOMER):
        assert [driver.create(customer).http for _ in range(2)] == [503, 202]
        assert [driver.status(None, customer).http for _ in range(2)] == [503, 200]
        assert [driver.answer(driver.call("eligibility", customer)).http for _ in range(2)] == [503, 200]


def test_a_scenario_that_is_set_again_begins_again(driver: Driver) -> None:
    for _ in range(2):
        driver.play({"create": [{"do": "error"}]}, CUSTOMER.upper())
        assert driver.create().http == 503


def test_a_repeated_call_takes_no_step(driver: Driver) -> None:
    driver.play({"create": [{"do": "refuse", "http": 403, "code": 900130}, {"do": "error"}]})
    call = driver.call("create")
    assert [driver.answer(call).http for _ in range(3)] == [403, 403, 403]
    assert driver.create().http == 503


@pytest.mark.parametrize(
    "document",
    [
        "no such name",
        {"create": [{"do": "explode"}]},
        {"create": [{}]},
        {"create": [{"do": "status_word", "word": "x"}]},
        {"status": [{"do": "location", "value": None}]},
        {"eligibility": [{"do": "vanish"}]},
        {"create": [{"do": "refuse", "status": 403}]},
        {"create": [{"do": "refuse"}]},
        {"create": [{"do": "slow", "seconds": 1, "then": {"do": "explode"}}]},
        {"create": [{"do": "answer", "base64": "?"}]},
        {"create": [{"do": "error", "body": "xml"}]},
        {"create": [{"do": "slow", "seconds": "long"}]},
        {"create": [{"do": "slow", "seconds": 1, "when": "never"}]},
        {"create": [{"do": "cut", "when": "never"}]},
        {"create": [{"do": "error", "times": "twice"}]},
        {"crate": []},
        {"existing": "lost"},
        {"course": {"end": "vanished"}},
        {"course": {"pols": 1}},
    ],
)
def test_a_scenario_that_makes_no_sense_is_refused(document: str | dict[str, object]) -> None:
    with pytest.raises(ScenarioError):
        resolve(document)


def test_a_scenario_is_for_a_customer(driver: Driver) -> None:
    with pytest.raises(ScenarioError, match="no customer id"):
        driver.play("completes", "contoso")
