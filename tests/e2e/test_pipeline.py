"""In at the queue, out of Table Storage: the promise, through real SDKs, the platform's worker and every part."""

import json
import signal
import time
from collections import Counter
from collections.abc import Callable
from uuid import uuid4

from local.cloud import Cloud
from local.observer import Look, Observer
from local.requests_file import Outgoing
from local.truth import violations
from shared.messages import Message, parse
from shared.models import Status, UpgradeRequest, UpgradeResult
from tests.fakes import NOON

type Wait = Callable[[Callable[[Look], bool]], Look]
type Scenario = str | dict[str, object]


def _customers(cloud: Cloud, count: int, scenario: Scenario = "completes") -> list[str]:
    customers = [str(uuid4()) for _ in range(count)]
    cloud.fake("PUT", "scenarios", dict.fromkeys(customers, scenario))
    return customers


def _message(customer_id: str, request_id: str = "r1") -> Outgoing:
    body = {"customerId": customer_id, "productFamily": "Azure", "requestId": request_id}
    return Outgoing(json.dumps(body).encode(), str(uuid4()))


def _of(look: Look, customers: list[str]) -> list[UpgradeResult]:
    return [result for result in look.results if result.customer_id in customers]


def _all_ended(customers: list[str], count: int | None = None) -> Callable[[Look], bool]:
    def holds(look: Look) -> bool:
        in_flight = any(row.customer_id in customers for row in look.in_flight)
        return len(_of(look, customers)) >= (count or len(customers)) and not in_flight and not look.waiting

    return holds


def _assert_true(cloud: Cloud, look: Look, messages: list[Outgoing]) -> None:
    """Each request has exactly one result, and the fake's ledger bears it out."""
    requests: list[UpgradeRequest] = [parse(Message(m.body, m.message_id, 1, NOON), ["Azure"]) for m in messages]
    customers = {request.customer_id for request in requests}
    results = [result for result in look.results if result.customer_id in customers]
    assert violations(requests, results, cloud.fake("GET", "ledger")) == []


def test_requests_come_out_as_true_results(cloud: Cloud, observer: Observer, wait_for: Wait) -> None:
    customers = _customers(cloud, 10) + _customers(cloud, 3, "partly") + _customers(cloud, 2, "suspended")
    messages = [_message(customer) for customer in customers]
    observer.send(messages)
    look = wait_for(_all_ended(customers))
    statuses = Counter(result.status for result in _of(look, customers))
    assert statuses == {Status.COMPLETED: 10, Status.PARTIALLY_COMPLETED: 3, Status.REJECTED: 2}
    _assert_true(cloud, look, messages)


def test_every_line_of_a_tick_that_works_in_parallel_is_logged(
    cloud: Cloud, observer: Observer, wait_for: Wait
) -> None:
    """The platform drops a line that carries no invocation's id: a thread started without the context would be mute."""
    customers = _customers(cloud, 30)
    observer.send([_message(customer) for customer in customers])
    wait_for(_all_ended(customers))
    finished = [
        json.loads(line["Message"].removeprefix("upgrade.finished "))["customer_id"]
        for line in cloud.logs()
        if line["Message"].startswith("upgrade.finished ")
    ]
    assert [finished.count(customer) for customer in customers] == [1] * 30


def test_the_same_message_sent_twice_and_two_requests_of_one_customer(
    cloud: Cloud, observer: Observer, wait_for: Wait
) -> None:
    (customer,) = customers = _customers(cloud, 1, "completes-slowly")
    messages = [_message(customer, "r1"), _message(customer, "r1"), _message(customer, "r2")]
    observer.send(messages)
    look = wait_for(_all_ended(customers, 2))
    assert sorted(result.status for result in _of(look, customers)) == [Status.COMPLETED, Status.DUPLICATE]
    _assert_true(cloud, look, messages)


def test_bodies_that_are_no_requests_are_dead_letters_byte_for_byte(
    cloud: Cloud, observer: Observer, wait_for: Wait
) -> None:
    bodies = [
        b"",
        b"\x00\xff\xfe binary",
        b"{" * 5000,
        b"[" * 60_000,
        b'{"customerId": null}',
        b'{"customerId": "' + b"9" * 70_000 + b'"}',
        '{"customerId": "١٢٣٤٥٦٧٨-0000-4000-8000-000000000000", "productFamily": "Azure"}'.encode(),
        b'\xef\xbb\xbf{"customerId": 1}',
        b'{"customerId": "x\' or \'1\' eq \'1", "productFamily": "../../.."}',
    ]
    before = Counter(observer.look().dead)
    observer.send([Outgoing(body, str(uuid4())) for body in bodies])
    look = wait_for(lambda look: (Counter(look.dead) - before).total() >= len(bodies) and not look.waiting)
    assert Counter(look.dead) - before == Counter(bodies)


def test_functions_killed_in_the_middle_of_calls_lose_and_double_nothing(
    cloud: Cloud, observer: Observer, wait_for: Wait
) -> None:
    customers = _customers(cloud, 12, {"create": [{"do": "slow", "seconds": 0.7, "when": "after"}]})
    messages = [_message(customer) for customer in customers]
    observer.send(messages)
    for _ in range(3):
        time.sleep(0.6)
        for function in cloud.functions:
            function.host.process.send_signal(signal.SIGKILL)
            function.host.process.wait()
        cloud.restart_dead_functions()
    look = wait_for(_all_ended(customers))
    assert {result.status for result in _of(look, customers)} == {Status.COMPLETED}
    _assert_true(cloud, look, messages)


def test_an_outage_of_the_api_delays_and_loses_nothing(cloud: Cloud, observer: Observer, wait_for: Wait) -> None:
    customers = _customers(cloud, 12)
    messages = [_message(customer) for customer in customers]
    cloud.fake("PUT", "switches", {"api_outage": "unavailable"})
    observer.send(messages)
    wait_for(lambda look: sum(row.customer_id in customers for row in look.in_flight) == 12 and not look.waiting)
    assert not _of(observer.look(), customers)
    cloud.fake("PUT", "switches", {"api_outage": None})
    _assert_true(cloud, wait_for(_all_ended(customers)), messages)


def test_throttling_closes_the_gate_and_opens_it_again(cloud: Cloud, observer: Observer, wait_for: Wait) -> None:
    customers = _customers(cloud, 30)
    messages = [_message(customer) for customer in customers]
    cloud.fake("PUT", "switches", {"api_window": {"calls": 15, "per_s": 2}})
    observer.send(messages)
    look = wait_for(_all_ended(customers))
    cloud.fake("PUT", "switches", {"api_window": None})
    _assert_true(cloud, look, messages)
    events = {line["Message"].split()[0] for line in cloud.logs()}
    assert {"gate.closed", "gate.recovering", "gate.opened"} <= events


def test_a_request_survives_a_restart_of_all_functions(cloud: Cloud, observer: Observer, wait_for: Wait) -> None:
    customers = _customers(cloud, 3, "completes-slowly")
    messages = [_message(customer) for customer in customers]
    observer.send(messages)
    wait_for(lambda look: sum(row.customer_id in customers for row in look.in_flight) == 3)
    cloud.stop_functions()
    cloud.start_functions()
    _assert_true(cloud, wait_for(_all_ended(customers)), messages)


def test_no_secret_token_or_body_is_in_any_log_line(cloud: Cloud) -> None:
    secret = cloud.parts["partner_center"].facts["client_secret"]
    text = "".join(line["Message"] for line in cloud.logs())
    assert "upgrade.finished" in text
    for word in (secret, "Bearer ", "refresh_token", "access_token", "eyJ", "productFamily", "or '1' eq '1"):
        assert word not in text
