"""The fake Partner Center's scenarios: each named one, each kind of step, and the JSON that they are written in."""

import json

import pytest

from local.partner_center.scenarios import NAMED
from tests.unit.fake_partner_center import Driver, summary, upgrade_id_in

DONE = '202, 200 "InProgress", 200 "Completed"'

# Create calls until one is accepted, or three of them; after that status calls until one is final, or eight of them.
NAMED_ENDS = {
    "completes": DONE,
    "completes-slowly": "202" + ', 200 "InProgress"' * 5 + ', 200 "Completed"',
    "completes-without-line-items": DONE,
    "partly": DONE,
    "all-line-items-failed": DONE,
    "failed": '202, 200 "InProgress", 200 "Failed"',
    "failed-but-one-completed": '202, 200 "InProgress", 200 "Failed"',
    "never-finishes": "202" + ', 200 "InProgress"' * 8,
    "already-in-progress": '409 900109, 409 900109, 409 900109, 200 "InProgress", 200 "Completed"',
    "already-completed": '400 900110, 400 900110, 400 900110, 200 "Completed"',
    "already-failed": DONE,
    "already-completed-id-mismatch": '400 900111, 400 900111, 400 900111, 200 "Completed"',
    "suspended": "403 900105, 403 900105, 403 900105",
    "no-subscriptions": "403 900108, 403 900108, 403 900108",
    "no-relationship": "403 20002, 403 20002, 403 20002",
    "customer-agreement-missing": "403 900123, 403 900123, 403 900123",
    "partner-agreement-missing": "403 900124, 403 900124, 403 900124",
    "agreement-not-signed": "403 13605, 403 13605, 403 13605",
    "invalid-customer": "400 900118, 400 900118, 400 900118",
    "no-catalog-item": "400 900107, 400 900107, 400 900107",
    "shared-services": "400 900119, 400 900119, 400 900119",
    "cannot-process": "400 900120, 400 900120, 400 900120",
    "sandbox-limit": "400 900116, 400 900116, 400 900116",
    "unknown-refusal": "400 999999, 400 999999, 400 999999",
    "role-missing": "403 2032, 403 2032, 403 2032",
    "role-missing-once": f"403 2032, {DONE}",
    "bought-too-recently-then-ok": f"403 900130, {DONE}",
    "bought-too-recently": "403 900130, 403 900130, 403 900130",
    "unauthorized-once": f"401 400, {DONE}",
    "unauthorized": "401 400, 401 400, 401 400",
    "mfa-missing-once": f"401 900421, {DONE}",
    "throttled": f"429, 429, {DONE}",
    "throttled-no-header": f"429, 429, {DONE}",
    "throttled-http-date": f"429, {DONE}",
    "throttled-absurdly": f"429, 429, {DONE}",
    "throttled-status": '202, 429, 200 "InProgress", 200 "Completed"',
    "server-error-then-ok": f"503 800003, 503 800003, {DONE}",
    "html-error": f"500, {DONE}",
    "bad-gateway": f"502, {DONE}",
    "status-error": '202, 500 800003, 500 800003, 200 "InProgress", 200 "Completed"',
    "slow": DONE,
    "slow-answer": DONE,
    "cut-before": f"cut, {DONE}",
    "cut-after": 'cut, 409 900109, 409 900109, 200 "InProgress", 200 "Completed"',
    "cut-status": '202, cut, cut, 200 "Completed"',
    "drip": '202 drips, 200 "InProgress", 200 "Completed"',
    "endless": '202 endless, 200 "InProgress", 200 "Completed"',
    "endless-status": '202, 200 endless, 200 "Completed"',
    "redirected": f"307, {DONE}",
    "location-missing": DONE,
    "location-absolute": DONE,
    "location-slash": DONE,
    "location-elsewhere": DONE,
    "location-garbage": DONE,
    "empty-accept": '200, 409 900109, 409 900109, 200 "InProgress", 200 "Completed"',
    "html-accept": '200, 409 900109, 409 900109, 200 "InProgress", 200 "Completed"',
    "html-refusal": f"403, {DONE}",
    "unknown-status-words": '202, 200 "Provisioning", 200 "NotCompleted", 200 "", 200 null, 200 7, '
    '200 ["Completed"], 200 {"status": "Completed"}, 200 "InProgress"',
    "garbled-status": '202, 200, 200, 200, 200, 200, 200, 200 "InProgress", 200 "Completed"',
    "not-found-at-first": '202, 404 900106, 404 900106, 200 "InProgress", 200 "Completed"',
    "lost-upgrade": "202" + ", 404 900106" * 8,
    "lost-twice": "202" + ", 404 900106" * 8,
}


@pytest.fixture
def driver() -> Driver:
    return Driver()


def _story(driver: Driver) -> str:
    answers: list[str] = []
    while len(answers) < 3 and not (answers and answers[-1].startswith("202")):
        answers.append(summary(driver.create()))
    for _ in range(8 if driver.upgrades() else 0):
        answers.append(summary(driver.status()))
        if answers[-1] in ('200 "Completed"', '200 "Failed"'):
            break
    return ", ".join(answers)


@pytest.mark.parametrize("name", NAMED)
def test_a_named_scenario_goes_as_it_says(driver: Driver, name: str) -> None:
    driver.play(name)
    assert NAMED[name].about
    assert _story(driver) == NAMED_ENDS[name]


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("completes-without-line-items", []),
        ("partly", ["Completed", "Failed", "Completed"]),
        ("all-line-items-failed", ["Failed", "Failed"]),
        ("failed", ["Failed"]),
        ("failed-but-one-completed", ["Completed", "Failed"]),
    ],
)
def test_line_items_have_ends_of_their_own(driver: Driver, name: str, statuses: list[str]) -> None:
    driver.play(name)
    driver.create()
    driver.status()
    content = json.loads(driver.status().body)
    assert [item["status"] for item in content["lineItems"]] == statuses
    for item in content["lineItems"]:
        assert (item["errorDetails"] is not None) == (item["status"] == "Failed") == (item["upgradedDate"] is None)
    assert (content["errorDetails"] is not None) == (content["status"] == "Failed")


@pytest.mark.parametrize(
    ("name", "location"),
    [
        ("location-missing", None),
        ("location-absolute", "http://api.test/v1/ProductUpgrades/{id}/status"),
        ("location-slash", "/productUpgrades/{id}"),
        ("location-elsewhere", "https://example.net/{id}"),
        ("location-garbage", "productUpgrades/not-an-id"),
    ],
)
def test_a_location_has_the_form_that_is_asked_for(driver: Driver, name: str, location: str | None) -> None:
    driver.play(name)
    reply = driver.create()
    (upgrade,) = driver.upgrades()
    assert reply.headers.get("Location") == (location and location.replace("{id}", upgrade["id"]))
    assert driver.eligibility()["upgradeId"] == upgrade["id"]


def test_an_accepted_create_may_have_a_status_body(driver: Driver) -> None:
    driver.play("location-missing")
    assert json.loads(driver.create().body) == {"id": driver.upgrades()[0]["id"], "status": "InProgress"}


@pytest.mark.parametrize("name", ["cut-after", "empty-accept", "html-accept", "drip", "endless"])
def test_a_retry_of_a_create_whose_answer_was_spoilt_gets_the_true_one(driver: Driver, name: str) -> None:
    driver.play(name)
    call = driver.call("create")
    driver.answer(call)
    retry = driver.answer(call)
    assert (summary(retry), upgrade_id_in(retry)) == ("202", driver.upgrades()[0]["id"])


def test_status_words_that_are_put_in_do_not_advance_the_upgrade(driver: Driver) -> None:
    driver.play({"status": [{"do": "status_word", "word": None, "times": 3}]})
    driver.create()
    assert [summary(driver.status()) for _ in range(4)] == ["200 null"] * 3 + ['200 "InProgress"']
    assert driver.upgrades()[0]["polls"] == 1


def test_a_lost_upgrade_is_named_nowhere_and_a_new_one_is_accepted(driver: Driver) -> None:
    driver.play("lost-upgrade")
    lost = upgrade_id_in(driver.create())
    assert summary(driver.status(lost)) == "404 900106"
    assert "upgradeId" not in driver.eligibility()
    assert driver.upgrades()[0]["state"] == "vanished"
    new = upgrade_id_in(driver.create())
    assert summary(driver.status(lost)) == "404 900106"
    assert [summary(driver.status(new)) for _ in range(2)] == ['200 "InProgress"', '200 "Completed"']


def test_an_upgrade_can_be_lost_twice_but_no_more(driver: Driver) -> None:
    driver.play("lost-twice")
    for _ in range(2):
        created = driver.create()
        assert [summary(driver.status(upgrade_id_in(created))) for _ in range(3)] == ["404 900106"] * 3
    created = driver.create()
    assert summary(driver.status(upgrade_id_in(created))) == '200 "InProgress"'


def test_an_id_mismatch_names_the_mapped_upgrade(driver: Driver) -> None:
    driver.play("already-completed-id-mismatch")
    assert driver.upgrades()[0]["id"] in json.loads(driver.create().body)["description"]


def test_an_existing_upgrade_was_created_by_no_call(driver: Driver) -> None:
    driver.play("already-in-progress")
    driver.create()
    assert driver.upgrades()[0]["msRequestId"] is None
    assert [call["created"] for call in driver.calls()] == [False]
