"""The fake Partner Center's ledger, and what outlives a restart."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.fake_partner_center import CUSTOMER, OTHER_CUSTOMER, Clock, Driver, summary, upgrade_id_in


class Restarts:
    """Drivers of one state folder, one after the other, as after SIGKILL: nothing is said at the end."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.folder = folder
        self.driver = Driver(state=folder, clock=self.clock)

    def restart(self) -> Driver:
        self.driver.close()
        before = self.driver
        self.driver = Driver(state=self.folder, clock=self.clock)
        self.driver.refresh_token, self.driver.authorization = before.refresh_token, before.authorization
        return self.driver


@pytest.fixture
def restarts(tmp_path: Path) -> Iterator[Restarts]:
    restarts = Restarts(tmp_path / "state")
    yield restarts
    restarts.driver.close()


def test_the_ledger_tells_what_each_call_was_and_led_to() -> None:
    driver = Driver()
    driver.play("suspended", OTHER_CUSTOMER)
    call = driver.call("create", ms_correlationid="c-1")
    upgrade_id = upgrade_id_in(driver.answer(call))
    driver.clock.now_s += 1.5
    driver.status()
    driver.create(OTHER_CUSTOMER)
    created, polled, refused = driver.calls()
    assert created == {
        "sequence": 2,
        "call": 0,
        "kind": "create",
        "customerId": CUSTOMER,
        "productFamily": "Azure",
        "upgradeId": upgrade_id,
        "msRequestId": call.ms_request_id,
        "correlationId": "c-1",
        "startedAt": "2027-01-15T08:00:00.000000Z",
        "startedS": 1_800_000_000.0,
        "endedAt": "2027-01-15T08:00:00.000000Z",
        "endedS": 1_800_000_000.0,
        "http": 202,
        "code": None,
        "seen": True,
        "created": True,
        "repeated": False,
    }
    assert (polled["kind"], polled["upgradeId"], polled["created"]) == ("status", upgrade_id, False)
    assert polled["startedAt"] == "2027-01-15T08:00:01.500000Z"
    assert (refused["http"], refused["code"], refused["upgradeId"]) == (403, 900105, None)


def test_the_ledger_tells_the_true_state_of_each_upgrade() -> None:
    driver = Driver()
    call = driver.call("create")
    upgrade_id = upgrade_id_in(driver.answer(call))
    states = [driver.upgrades()[0]["state"]]
    for _ in range(3):
        driver.status()
        states.append(driver.upgrades()[0]["state"])
    assert states == ["in progress", "in progress", "completed", "completed"]
    assert driver.upgrades() == [
        {
            "id": upgrade_id,
            "customerId": CUSTOMER,
            "productFamily": "Azure",
            "createdAt": "2027-01-15T08:00:00.000000Z",
            "createdS": 1_800_000_000.0,
            "endedS": 1_800_000_000.0,
            "msRequestId": call.ms_request_id,
            "state": "completed",
            "polls": 3,
            "lineItems": [{"status": "completed"}],
        }
    ]


@pytest.mark.parametrize(
    ("scenario", "http", "created"),
    [("cut-before", "cut", False), ("cut-after", "cut", True), ("drip", "cut", True), ("empty-accept", 200, True)],
)
def test_the_ledger_tells_whether_the_client_could_have_seen_the_answer(
    scenario: str, http: object, created: bool
) -> None:
    driver = Driver()
    driver.play(scenario)
    driver.create()
    (entry,) = driver.calls()
    assert (entry["http"], entry["seen"], entry["created"]) == (http, http != "cut", created)


def test_an_answer_to_a_client_that_has_gone_was_not_seen() -> None:
    driver = Driver()
    service = driver.world.service
    arrival = service.arrive(driver.call("create"))
    driver.clock.now_s += 5
    service.end(arrival, service.act(arrival), client_gone=True)
    (entry,) = driver.calls()
    assert (entry["http"], entry["seen"], entry["created"]) == ("none", False, True)
    assert entry["endedS"] - entry["startedS"] == 5


def test_the_ledger_is_read_from_any_place_on_and_only_grows() -> None:
    driver = Driver()
    service = driver.world.service
    slow = service.arrive(driver.call("create"))
    driver.create(OTHER_CUSTOMER)
    before = service.ledger.since(0)
    service.end(slow, service.act(slow), client_gone=False)
    after = service.ledger.since(before["sequence"])
    assert [entry["customerId"] for entry in before["calls"]] == [OTHER_CUSTOMER]
    assert [entry["customerId"] for entry in after["calls"]] == [CUSTOMER]
    assert (after["sequence"], after["tokens"]) == (before["sequence"] + 1, [])


def test_a_call_without_a_readable_subject_is_in_the_ledger_too() -> None:
    driver = Driver()
    driver.create(content_type="text/plain")
    (entry,) = driver.calls()
    assert (entry["customerId"], entry["http"], entry["code"]) == (None, 415, 2000)


def test_upgrades_answers_tokens_and_ledger_outlive_a_restart(restarts: Restarts) -> None:
    before = restarts.driver
    call = before.call("create")
    created = before.answer(call)
    before.status()
    calls, upgrades = before.calls(), before.upgrades()
    after = restarts.restart()
    assert (after.calls(), after.upgrades()) == (calls, upgrades)
    repeated = after.answer(call)
    assert (repeated.http, repeated.repeated, upgrade_id_in(repeated)) == (202, True, upgrade_id_in(created))
    assert summary(after.status()) == '200 "Completed"'
    assert after.token()[0] == 200
    assert [entry["sequence"] for entry in after.calls()] == sorted({entry["sequence"] for entry in after.calls()})


def test_scenarios_and_switches_outlive_a_restart(restarts: Restarts) -> None:
    restarts.driver.play({"create": [{"do": "error", "times": 2}], "course": {"polls": 1, "end": "failed"}})
    restarts.driver.play("lost-upgrade", OTHER_CUSTOMER)
    restarts.driver.world.board.turn({"api_latency_s": 0.5, "api_window": {"calls": 100, "per_s": 1}})
    assert restarts.driver.create().http == 503
    switches = restarts.driver.world.board.switches
    assert restarts.restart().world.board.switches == switches
    assert [restarts.driver.create().http for _ in range(2)] == [503, 202]
    assert summary(restarts.driver.status()) == '200 "Failed"'
    lost = upgrade_id_in(restarts.driver.create(OTHER_CUSTOMER))
    restarts.driver.status(lost, OTHER_CUSTOMER)
    assert summary(restarts.restart().status(lost, OTHER_CUSTOMER)) == "404 900106"


def test_a_revoked_token_stays_revoked_after_a_restart(restarts: Restarts) -> None:
    restarts.driver.world.tokens.revoke_access_tokens()
    assert restarts.restart().create().http == 401


def test_a_call_that_a_kill_interrupted_is_in_the_ledger_as_unanswered(restarts: Restarts) -> None:
    service = restarts.driver.world.service
    service.act(service.arrive(restarts.driver.call("create")))
    service.arrive(restarts.driver.call("create", OTHER_CUSTOMER))
    acted, not_acted = restarts.restart().calls()
    assert [entry["http"] for entry in (acted, not_acted)] == ["none", "none"]
    assert [entry["seen"] for entry in (acted, not_acted)] == [False, False]
    assert [entry["created"] for entry in (acted, not_acted)] == [True, False]
    assert acted["upgradeId"] == restarts.driver.upgrades()[0]["id"]
    restarts.driver.create(OTHER_CUSTOMER)
    assert restarts.driver.calls()[-1]["created"] is True


def test_a_line_that_a_kill_cut_short_is_dropped(restarts: Restarts) -> None:
    upgrade_id = upgrade_id_in(restarts.driver.create())
    with (restarts.folder / "journal.jsonl").open("ab") as journal:
        journal.write(b'["created", {"id": "')
    assert [upgrade["id"] for upgrade in restarts.restart().upgrades()] == [upgrade_id]
    restarts.driver.create(OTHER_CUSTOMER)
    assert len(restarts.restart().upgrades(OTHER_CUSTOMER)) == 1


def test_no_token_is_in_the_journal(restarts: Restarts) -> None:
    journal = (restarts.folder / "journal.jsonl").read_text()
    assert "refresh token" in journal
    assert restarts.driver.refresh_token not in journal
    assert restarts.driver.authorization.removeprefix("Bearer ") not in journal
