"""The fake Partner Center's three calls: what exists, and what is answered."""

import json
from dataclasses import replace

import pytest

from tests.unit.fake_partner_center import CUSTOMER, OTHER_CUSTOMER, Driver, summary, upgrade_id_in

REQUEST_ID = "0000000a-0000-4000-8000-00000000000a"
UNKNOWN_ID = "ffffffff-0000-4000-8000-000000000000"


@pytest.fixture
def driver() -> Driver:
    return Driver()


def test_an_unknown_customers_upgrade_completes_at_the_second_status_call(driver: Driver) -> None:
    created = driver.create()
    assert (created.http, created.body) == (202, b"")
    first, second = (json.loads(driver.status(upgrade_id_in(created)).body) for _ in range(2))
    assert (first["status"], first["lineItems"][0]["status"]) == ("InProgress", "InProgress")
    assert (second["status"], second["productFamily"], second["errorDetails"]) == ("Completed", "Azure", None)
    (item,) = second["lineItems"]
    assert item["status"] == "Completed"
    assert item["upgradedDate"] == "2027-01-15T08:00:00.0000000Z"
    assert {"id", "name"} == set(item["sourceProduct"]) == set(item["targetProduct"])


def test_polls_after_the_end_change_nothing(driver: Driver) -> None:
    driver.create()
    first, *later = [driver.status().body for _ in range(4)][1:]
    driver.clock.now_s += 100
    assert all(body == first for body in [*later, driver.status().body])


def test_a_second_create_is_refused_while_the_first_upgrade_is_in_progress(driver: Driver) -> None:
    upgrade_id = upgrade_id_in(driver.create())
    refused = driver.create()
    assert summary(refused) == "409 900109"
    assert upgrade_id in json.loads(refused.body)["description"]


def test_a_second_create_is_refused_when_the_first_upgrade_is_completed(driver: Driver) -> None:
    upgrade_id = upgrade_id_in(driver.create())
    driver.status()
    driver.status()
    refused = driver.create()
    assert summary(refused) == "400 900110"
    assert upgrade_id in json.loads(refused.body)["description"]


def test_a_second_create_is_accepted_when_the_first_upgrade_failed(driver: Driver) -> None:
    driver.play({"course": {"polls": 1, "end": "failed"}})
    first = upgrade_id_in(driver.create())
    assert summary(driver.status()) == '200 "Failed"'
    second = upgrade_id_in(driver.create())
    assert first != second
    assert [upgrade["id"] for upgrade in driver.upgrades()] == [first, second]
    assert summary(driver.status(first)) == '200 "Failed"'


def test_customers_do_not_share_an_upgrade(driver: Driver) -> None:
    assert upgrade_id_in(driver.create()) != upgrade_id_in(driver.create(OTHER_CUSTOMER))


def test_ids_are_compared_without_case(driver: Driver) -> None:
    first = driver.create(ms_requestid=REQUEST_ID)
    assert upgrade_id_in(driver.create(CUSTOMER.upper(), ms_requestid=REQUEST_ID.upper())) == upgrade_id_in(first)
    assert summary(driver.status(upgrade_id_in(first).upper(), CUSTOMER.upper())) == '200 "InProgress"'


def test_an_unknown_upgrade_id_is_not_found(driver: Driver) -> None:
    driver.create()
    assert summary(driver.status(UNKNOWN_ID)) == "404 900106"


def test_another_customers_upgrade_id_is_answered_with_the_mapped_one(driver: Driver) -> None:
    own, foreign = upgrade_id_in(driver.create()), upgrade_id_in(driver.create(OTHER_CUSTOMER))
    mismatch = driver.status(foreign)
    assert summary(mismatch) == "400 900111"
    assert own in json.loads(mismatch.body)["description"]
    assert driver.upgrades(OTHER_CUSTOMER)[0]["polls"] == 0


def test_another_customers_upgrade_id_is_not_found_where_none_is_mapped(driver: Driver) -> None:
    foreign = upgrade_id_in(driver.create(OTHER_CUSTOMER))
    assert summary(driver.status(foreign)) == "404 900106"


def test_eligibility_names_an_upgrade_that_is_in_place(driver: Driver) -> None:
    before = driver.eligibility()
    assert before == {"customerId": CUSTOMER, "productFamily": "Azure", "isEligible": True}
    upgrade_id = upgrade_id_in(driver.create())
    in_place = driver.eligibility()
    assert (in_place["isEligible"], in_place["upgradeId"]) == (False, upgrade_id)
    assert "reason" in in_place


def test_eligibility_names_no_failed_upgrade(driver: Driver) -> None:
    driver.play("already-failed")
    assert driver.eligibility()["isEligible"] is True
    assert "upgradeId" not in driver.eligibility()


def test_eligibility_tells_of_a_refusal_for_good(driver: Driver) -> None:
    driver.play("suspended")
    assert driver.eligibility()["isEligible"] is False


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "400 2000"),
        (b"{", "400 2000"),
        (b"\xff", "400 2000"),
        (b"[]", "400 2000"),
        (b"{}", "400 900118"),
        (b'{"customerId": "x", "productFamily": "Azure"}', "400 900118"),
        (b'{"customerId": null, "productFamily": "Azure"}', "400 900118"),
        (f'{{"customerId": "{CUSTOMER}"}}'.encode(), "400 900107"),
        (f'{{"customerId": "{CUSTOMER}", "productFamily": "Office"}}'.encode(), "400 900107"),
        (f'{{"customerId": "{CUSTOMER}", "productFamily": "AZURE"}}'.encode(), "202"),
    ],
)
def test_a_body_is_validated(driver: Driver, body: bytes, expected: str) -> None:
    assert summary(driver.answer(replace(driver.call("create"), body=body))) == expected


def test_other_content_types_are_refused(driver: Driver) -> None:
    assert summary(driver.create(content_type="text/plain")) == "415 2000"
    assert summary(driver.create(content_type="Application/JSON; charset=utf-8")) == "202"


def test_an_ms_request_id_that_is_no_guid_is_refused(driver: Driver) -> None:
    assert summary(driver.create(ms_requestid="1234")) == "400 2000"


def test_an_error_has_the_services_form(driver: Driver) -> None:
    driver.play("no-relationship")
    content = json.loads(driver.create().body)
    assert set(content) == {"code", "description", "data", "source"}
    assert content["code"] == 20002


def test_an_error_code_may_be_a_string(driver: Driver) -> None:
    driver.play("agreement-not-signed")
    assert json.loads(driver.create().body)["code"] == "13605"


def test_answers_carry_the_headers_for_support(driver: Driver) -> None:
    reply = driver.create(ms_requestid=REQUEST_ID, ms_correlationid="c-1")
    assert (reply.headers["MS-RequestId"], reply.headers["MS-CorrelationId"]) == (REQUEST_ID, "c-1")
    assert {"MS-CV", "MS-ServerId"} <= set(reply.headers)
    assert "isMfaCompliant" not in reply.headers
    repeated = driver.create(ms_requestid=REQUEST_ID, ms_correlationid="c-2")
    assert repeated.headers["MS-CorrelationId"] == "c-2"


@pytest.mark.parametrize(("mfa", "expected"), [(True, "true"), (False, "false")])
def test_mfa_is_told_where_it_is_asked_for(driver: Driver, mfa: bool, expected: str) -> None:
    driver.authorization = driver.exchange(driver.world.tokens.sign_in(mfa=mfa))
    assert driver.create(validatemfa="true").headers["isMfaCompliant"] == expected


def test_the_gateways_answers_are_not_the_services(driver: Driver) -> None:
    driver.play("throttled")
    reply = driver.create()
    assert json.loads(reply.body) == {"statusCode": 429, "message": "Rate limit is exceeded. Try again in 1 seconds."}
    assert "MS-CV" not in reply.headers
