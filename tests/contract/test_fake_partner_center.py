"""The fake Partner Center's API as a part of the local cloud: over sockets, with requests as it is."""

import contextlib
import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any
from uuid import uuid4

import pytest
import requests

from local.component import REPOSITORY, Component
from local.partner_center.scenarios import NAMED
from local.tls import Tls
from tests.contract.fake_partner_center import Partner, running_fake, signed_in


def _eventually(condition: Callable[[], Any]) -> Any:
    deadline_s = time.monotonic() + 5
    while not (value := condition()) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    return value


@pytest.fixture(scope="module")
def component(tls: Tls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Component]:
    yield from running_fake(tls, tmp_path_factory.mktemp("partner_center"))


@pytest.fixture
def partner(component: Component, tls: Tls) -> Iterator[Partner]:
    yield from signed_in(component, tls)


def test_an_upgrade_is_created_and_completes(partner: Partner) -> None:
    customer_id = partner.customer()
    created = partner.post("productupgrades", customer_id)
    assert (created.status_code, created.content) == (202, b"")
    assert re.fullmatch(r"productUpgrades/[0-9a-f-]{36}", created.headers["Location"])
    path = f"{created.headers['Location']}/status"
    answers = [partner.post(path, customer_id).json()["status"] for _ in range(2)]
    assert answers == ["InProgress", "Completed"]
    eligibility = partner.post("productUpgrades/eligibility", customer_id).json()
    assert eligibility["upgradeId"] in created.headers["Location"]
    calls, (upgrade,) = partner.ledger(customer_id)
    assert [call["kind"] for call in calls] == ["create", "status", "status", "eligibility"]
    assert all(call["seen"] for call in calls)
    assert (upgrade["state"], upgrade["polls"]) == ("completed", 2)


def test_paths_are_read_without_case(partner: Partner) -> None:
    customer_id = partner.customer()
    location = partner.post("PRODUCTUPGRADES", customer_id).headers["Location"]
    assert partner.post(f"{location.upper()}/STATUS", customer_id).status_code == 200
    assert partner.post("productupgrades/Eligibility", customer_id).status_code == 200


def test_other_paths_and_methods_are_refused(partner: Partner) -> None:
    assert partner.post("customers", partner.customer()).status_code == 404
    assert partner.session.get(f"{partner.facts['api_url']}/v1/productupgrades", timeout=5).status_code == 405


def test_answers_leave_the_connection_open(partner: Partner) -> None:
    body = json.dumps({"customerId": partner.customer("throttled"), "productFamily": "Azure"})
    headers = {"Authorization": partner.authorization, "Content-Type": "application/json"}
    connection = HTTPConnection(partner.facts["api_url"].removeprefix("http://"), timeout=5)
    with contextlib.closing(connection):
        connection.connect()
        statuses, first_socket = [], connection.sock
        for _ in range(4):
            connection.request("POST", "/v1/productupgrades", body, headers)
            response = connection.getresponse()
            statuses.append(response.status)
            response.read()
            assert connection.sock is first_socket
    assert statuses == [429, 429, 202, 409]


@pytest.mark.parametrize(("scenario", "created"), [("cut-before", 0), ("cut-after", 1)])
def test_a_connection_is_cut_before_or_after_the_upgrade_is_created(
    partner: Partner, scenario: str, created: int
) -> None:
    customer_id, ms_request_id = partner.customer(scenario), str(uuid4())
    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        partner.post("productupgrades", customer_id, ms_request_id=ms_request_id)
    (call,), upgrades = partner.ledger(customer_id)
    assert (call["http"], call["seen"], len(upgrades)) == ("cut", False, created)
    assert partner.post("productupgrades", customer_id, ms_request_id=ms_request_id).status_code == 202
    assert len(partner.ledger(customer_id)[1]) == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_client_that_does_not_wait_is_gone(partner: Partner, when: str) -> None:
    customer_id = partner.customer({"create": [{"do": "slow", "seconds": 0.3, "when": when}]})
    ms_request_id = str(uuid4())
    with pytest.raises(requests.ReadTimeout):
        partner.post("productupgrades", customer_id, ms_request_id=ms_request_id, timeout=0.1)
    assert partner.post("productupgrades", customer_id, ms_request_id=ms_request_id).status_code == 202
    calls = _eventually(lambda: len(found := partner.ledger(customer_id)[0]) == 2 and found)
    assert sorted((str(call["http"]), call["seen"]) for call in calls) == [("202", True), ("none", False)]
    assert len(partner.ledger(customer_id)[1]) == 1


def test_a_dripping_answer_has_no_end(partner: Partner) -> None:
    customer_id = partner.customer({"create": [{"do": "drip", "interval_s": 0.01}]})
    with partner.post("productupgrades", customer_id, stream=True) as response:
        assert response.status_code == 202
        chunks = response.iter_content(1)
        assert [next(chunks) for _ in range(20)] == [b" "] * 20
    assert len(partner.ledger(customer_id)[1]) == 1


def test_an_endless_answer_begins_like_the_true_one(partner: Partner) -> None:
    customer_id = partner.customer("endless-status")
    location = partner.post("productupgrades", customer_id).headers["Location"]
    with partner.post(f"{location}/status", customer_id, stream=True) as response:
        read = b"".join(chunk for chunk, _ in zip(response.iter_content(65_536), range(100), strict=False))
    assert len(read) > 1_000_000
    assert json.loads(read)["status"] == "InProgress"


def test_an_answer_may_promise_more_than_it_sends(partner: Partner) -> None:
    step = {"do": "answer", "headers": {"Content-Length": "100"}, "text": "{"}
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        partner.post("productupgrades", partner.customer({"create": [step]}))


def test_answers_are_sent_byte_for_byte(partner: Partner) -> None:
    step = {"do": "answer", "headers": {"Content-Encoding": "gzip"}, "base64": "AAEC/w=="}
    with partner.post("productupgrades", partner.customer({"create": [step]}), stream=True) as response:
        assert response.raw.read(decode_content=False) == b"\x00\x01\x02\xff"


def test_a_redirect_stays_on_the_fake(partner: Partner) -> None:
    response = partner.post("productupgrades", partner.customer("redirected"))
    assert (response.status_code, response.headers["Location"]) == (307, f"{partner.facts['api_url']}/elsewhere")


def test_an_outage_of_the_api_spares_the_control_api(partner: Partner) -> None:
    customer_id = partner.customer()
    partner.control("PUT", "switches", {"api_outage": "html"})
    response = partner.post("productupgrades", customer_id)
    assert (response.status_code, response.headers["Content-Type"]) == (503, "text/html")
    partner.control("PUT", "switches", {"api_outage": "reset"})
    with pytest.raises(requests.ConnectionError):
        partner.post("productupgrades", customer_id)
    partner.control("PUT", "switches", {"api_outage": None})
    assert partner.post("productupgrades", customer_id).status_code == 202


def test_a_limit_tells_how_long_to_wait(partner: Partner) -> None:
    partner.control("PUT", "switches", {"api_window": {"calls": 1, "per_s": 3600}})
    customer_id = partner.customer()
    assert partner.post("productupgrades", customer_id).status_code == 202
    refused = partner.post("productupgrades", customer_id)
    assert refused.status_code == 429
    assert 3500 < int(refused.headers["Retry-After"]) <= 3600


def test_calls_wait_side_by_side(partner: Partner) -> None:
    partner.control("PUT", "switches", {"api_latency_s": 0.2})
    began_s = time.monotonic()
    with ThreadPoolExecutor(32) as pool:
        posts = [pool.submit(partner.post, "productupgrades", partner.customer()) for _ in range(64)]
        assert [post.result().status_code for post in posts] == [202] * 64
    assert 0.4 <= time.monotonic() - began_s < 5


def test_the_same_create_many_times_at_once_creates_once(partner: Partner) -> None:
    customer_id, ms_request_id = partner.customer(), str(uuid4())
    with ThreadPoolExecutor(16) as pool:
        posts = [
            pool.submit(partner.post, "productupgrades", customer_id, ms_request_id=ms_request_id) for _ in range(32)
        ]
        locations = {post.result().headers["Location"] for post in posts}
    calls, upgrades = partner.ledger(customer_id)
    assert (len(locations), len(upgrades), len(calls)) == (1, 1, 32)
    assert [call["created"] for call in calls].count(True) == 1


def test_the_counts_are_those_of_the_ledger(partner: Partner) -> None:
    before = partner.control("GET", "counts")
    assert partner.post("productupgrades", partner.customer()).status_code == 202
    after, ledger = partner.control("GET", "counts"), partner.control("GET", "ledger")
    assert after["sequence"] == ledger["sequence"] == before["sequence"] + 1
    assert after["upgrades"] == Counter(upgrade["state"] for upgrade in ledger["upgrades"])
    assert after["upgrades"]["in progress"] == before["upgrades"].get("in progress", 0) + 1


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("PUT", "scenarios", {"x": "completes"}, 400),
        ("PUT", "scenarios", {str(uuid4()): "no such name"}, 400),
        ("PUT", "scenarios", [], 400),
        ("PUT", "switches", {"latency": 1}, 400),
        ("PUT", "client", {"certificate": "no PEM"}, 400),
        ("PUT", "client", {"password": "x"}, 400),
        ("GET", "nothing", None, 404),
        ("POST", "ledger", None, 404),
    ],
)
def test_a_control_that_makes_no_sense_is_refused(
    partner: Partner, method: str, path: str, content: object, status: int
) -> None:
    url = f"{partner.facts['api_url']}/_fake/{path}"
    response = partner.session.request(method, url, json=content, timeout=5)
    assert response.status_code == status
    assert response.json()["error"]


def test_the_scenarios_are_listed_with_a_line_each() -> None:
    command = [sys.executable, "-m", "local.partner_center", "--list-scenarios"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=20).stdout
    assert [line.split()[0] for line in listed.splitlines()] == list(NAMED)
