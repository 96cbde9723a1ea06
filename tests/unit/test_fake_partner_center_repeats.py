"""The fake Partner Center's MS-RequestIds: which answers are remembered, and who gets them again."""

from dataclasses import replace

import pytest

from tests.unit.fake_partner_center import Driver, summary, upgrade_id_in

REQUEST_ID = "0000000a-0000-4000-8000-00000000000a"


@pytest.fixture
def driver() -> Driver:
    return Driver()


def test_a_repeated_create_gets_the_same_answer_and_creates_nothing(driver: Driver) -> None:
    first, second = (driver.create(ms_requestid=REQUEST_ID) for _ in range(2))
    assert (second.http, second.body) == (first.http, first.body)
    assert upgrade_id_in(second) == upgrade_id_in(first)
    assert len(driver.upgrades()) == 1
    assert [call["repeated"] for call in driver.calls()] == [False, True]


@pytest.mark.parametrize(("http", "code"), [(409, 900109), (400, 900107), (403, 900130), (404, 900106)])
def test_a_refusal_is_remembered(driver: Driver, http: int, code: int) -> None:
    driver.play({"create": [{"do": "refuse", "http": http, "code": code}]})
    answers = [summary(driver.create(ms_requestid=REQUEST_ID)) for _ in range(2)]
    assert answers == [f"{http} {code}"] * 2
    assert summary(driver.create()) == "202"


def test_a_refusal_of_a_malformed_call_is_remembered(driver: Driver) -> None:
    call = driver.call("create")
    assert summary(driver.answer(replace(call, body=b"{"))) == "400 2000"
    assert summary(driver.answer(call)) == "400 2000"


def test_the_first_answer_to_an_id_is_the_one_that_is_remembered(driver: Driver) -> None:
    service = driver.world.service
    call = driver.call("create")
    malformed = service.arrive(replace(call, body=b"{"))
    driver.answer(call)
    service.end(malformed, service.act(malformed), client_gone=False)
    assert driver.answer(call).http == 202


@pytest.mark.parametrize(
    "step",
    [
        {"do": "throttle", "retry_after": 1},
        {"do": "unauthorized"},
        {"do": "error", "http": 500},
        {"do": "error", "http": 503, "body": "html"},
        {"do": "cut", "when": "before"},
        {"do": "redirect"},
        {"do": "answer", "http": 403, "text": "<html>"},
    ],
)
def test_an_answer_to_a_call_that_was_not_acted_on_is_not_remembered(driver: Driver, step: dict[str, object]) -> None:
    driver.play({"create": [step]})
    assert summary(driver.create(ms_requestid=REQUEST_ID)) != "202"
    assert not driver.upgrades()
    assert summary(driver.create(ms_requestid=REQUEST_ID)) == "202"


def test_a_status_call_with_an_old_id_gets_the_old_answer(driver: Driver) -> None:
    driver.create()
    assert [summary(driver.status(ms_requestid=REQUEST_ID)) for _ in range(3)] == ['200 "InProgress"'] * 3
    assert driver.upgrades()[0]["polls"] == 1


def test_an_eligibility_call_with_an_old_id_gets_the_old_answer(driver: Driver) -> None:
    call = driver.call("eligibility")
    before = driver.answer(call)
    driver.create()
    assert driver.answer(call).body == before.body
    assert "upgradeId" in driver.eligibility()


def test_an_id_that_was_used_for_another_call_gets_that_calls_answer(driver: Driver) -> None:
    driver.create(ms_requestid=REQUEST_ID)
    assert driver.status(ms_requestid=REQUEST_ID).http == 202


def test_calls_without_an_id_are_never_repeats(driver: Driver) -> None:
    for expected in ("202", "409 900109"):
        call = driver.call("create")
        headers = {name: value for name, value in call.headers.items() if name != "ms-requestid"}
        assert summary(driver.answer(replace(call, headers=headers))) == expected


def test_a_retry_that_overtakes_the_slow_first_call_creates_once(driver: Driver) -> None:
    driver.play("slow")
    service = driver.world.service
    call = driver.call("create")
    slow = service.arrive(call)
    assert slow.wait_s == 3
    retry = driver.answer(call)
    late = service.act(slow)
    service.end(slow, late, client_gone=True)
    assert upgrade_id_in(late) == upgrade_id_in(retry)
    assert len(driver.upgrades()) == 1
