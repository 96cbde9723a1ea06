"""Faults around a fake, over real sockets."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, RemoteDisconnected
from typing import Any

import pytest

from local.faults import SLOW_S, Faults
from local.http import Request, Response, Server, reset

DEADLINE_S = 10
SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]

type Rule = dict[str, Any]
type StartProcess = Callable[..., "subprocess.Popen[bytes]"]


class Part:
    """A fake in its faults, and a client of it. `acted`: the paths that the fake itself has answered."""

    def __init__(self) -> None:
        self.acted: list[str] = []
        self.slept_s: list[float] = []
        self.server = Server(Faults(self._act, sleep=self.slept_s.append))

    def ask(self, method: str, path: str, body: bytes = b"", *, agent: str = "") -> tuple[int, bytes, dict[str, str]]:
        with contextlib.closing(HTTPConnection("127.0.0.1", self.server.port, timeout=DEADLINE_S)) as connection:
            connection.request(method, path, body, {"User-Agent": agent} if agent else {})
            response = connection.getresponse()
            return response.status, response.read(), dict(response.getheaders())

    def put(self, *rules: Rule) -> None:
        assert self.put_body(json.dumps(rules).encode())[0] == 200

    def put_body(self, body: bytes) -> tuple[int, str]:
        status, answer, _ = self.ask("PUT", "/_fake/faults", body)
        return status, json.loads(answer).get("error", "")

    def fired(self) -> dict[str, int]:
        counts: dict[str, int] = json.loads(self.ask("GET", "/_fake/faults")[1])
        return counts

    def _act(self, request: Request) -> Response | None:
        self.acted.append(request.path)
        if request.path == "/gone":
            reset(request.connection)
            return None
        return Response(200, b"done")


@pytest.fixture
def part() -> Iterator[Part]:
    part = Part()
    with part.server:
        threading.Thread(target=part.server.serve_forever, args=(0.01,), daemon=True).start()
        yield part
        part.server.shutdown()


@pytest.fixture
def start_process() -> Iterator[StartProcess]:
    """Something that sleeps; the words are more of its command line."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> "subprocess.Popen[bytes]":
        started.append(subprocess.Popen([*SLEEPER, *words]))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait(DEADLINE_S)


def _agent(process: "subprocess.Popen[bytes]") -> str:
    return f"azsdk-python-storage-table/12 Python/3.13 pid/{process.pid}"


def test_without_rules_a_request_is_answered_by_the_part_itself(part: Part) -> None:
    assert part.ask("GET", "/a")[:2] == (200, b"done")
    assert part.fired() == {}


@pytest.mark.parametrize(("when", "acted"), [("before", []), ("after", ["/a"])])
def test_an_error_instead_of_the_answer_before_or_after_the_part_acted(part: Part, when: str, acted: list[str]) -> None:
    rule = {"name": "busy", "do": "answer", "status": 429, "retry_after": "2", "code": "ServerBusy", "when": when}
    part.put(rule)
    status, body, headers = part.ask("GET", "/a")
    assert (status, headers["Retry-After"], part.acted) == (429, "2", acted)
    content = json.loads(body)
    assert content["error"]["code"] == content["odata.error"]["code"] == "ServerBusy"
    assert part.fired() == {"busy": 1}


def test_an_error_is_a_503_without_retry_after_unless_the_rule_says_otherwise(part: Part) -> None:
    part.put({"name": "out", "do": "answer"})
    status, _, headers = part.ask("GET", "/a")
    assert status == 503
    assert "Retry-After" not in headers


@pytest.mark.parametrize(("when", "acted"), [("before", []), ("after", ["/a"])])
def test_a_reset_before_or_after_the_part_acted(part: Part, when: str, acted: list[str]) -> None:
    part.put({"name": "cut", "do": "reset", "when": when})
    with pytest.raises(ConnectionResetError) as cut:
        part.ask("POST", "/a")
    assert not isinstance(cut.value, RemoteDisconnected)  # that is what an orderly end looks like
    assert part.acted == acted


@pytest.mark.parametrize(("delay_s", "waited_s"), [(0.25, 0.25), (None, SLOW_S)])
def test_a_slow_answer_is_the_parts_own(part: Part, delay_s: float | None, waited_s: float) -> None:
    part.put({"name": "slow", "do": "slow", "delay_s": delay_s})
    assert part.ask("GET", "/a")[:2] == (200, b"done")
    assert part.slept_s == [waited_s]


def test_a_delay_is_waited_for_while_the_client_waits() -> None:
    with Server(Faults(lambda _: Response(200))) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with contextlib.closing(HTTPConnection("127.0.0.1", server.port, timeout=DEADLINE_S)) as connection:
            connection.request("PUT", "/_fake/faults", json.dumps([{"name": "s", "do": "slow", "delay_s": 0.1}]))
            connection.getresponse().read()
            began = time.monotonic()
            connection.request("GET", "/a")
            assert connection.getresponse().status == 200
            assert time.monotonic() - began >= 0.1
        server.shutdown()


def test_a_page_of_html_with_status_200(part: Part) -> None:
    part.put({"name": "page", "do": "html"})
    status, body, headers = part.ask("GET", "/a")
    assert (status, headers["Content-Type"], part.acted) == (200, "text/html", [])
    assert body.startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize("do", ["answer", "reset", "slow", "html"])
def test_where_the_part_has_cut_the_connection_itself_no_fault_adds_to_it(
    part: Part, do: str, capsys: pytest.CaptureFixture[str]
) -> None:
    part.put({"name": "late", "do": do, "when": "after"})
    with pytest.raises(ConnectionResetError):
        part.ask("GET", "/gone")
    assert part.fired() == {"late": 1}
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("when", "acted"), [("before", []), ("after", ["/a"])])
def test_whoever_asked_is_killed_before_or_after_the_part_acted(
    part: Part, start_process: StartProcess, when: str, acted: list[str]
) -> None:
    host = start_process("-m", "local.functions_host")
    part.put({"name": "kill", "do": "kill", "when": when, "signal": signal.SIGTERM})
    with pytest.raises(ConnectionResetError):
        part.ask("POST", "/a", agent=_agent(host))
    assert host.wait(DEADLINE_S) == -signal.SIGTERM
    assert (part.acted, part.fired()) == (acted, {"kill": 1})


def test_a_kill_with_a_delay_comes_after_the_answer(part: Part, start_process: StartProcess) -> None:
    host = start_process("-m", "local.functions_host")
    part.put({"name": "kill", "do": "kill", "delay_s": 0.2, "when": "after"})
    assert part.ask("POST", "/a", agent=_agent(host))[:2] == (200, b"done")
    assert host.poll() is None
    assert host.wait(DEADLINE_S) == -signal.SIGKILL


def test_nobody_but_a_functions_host_is_killed(part: Part, start_process: StartProcess) -> None:
    other = start_process("-m", "local.azurite")
    ended = start_process("-m", "local.functions_host")
    ended.kill()
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)  # so that it is left to be collected
    part.put({"name": "kill", "do": "kill"})
    for agent in (_agent(other), _agent(ended), "pid/0", "pid/999999999", f"{_agent(ended)}0x", ""):
        assert part.ask("POST", "/a", agent=agent)[:2] == (200, b"done")
    assert other.poll() is None
    assert part.fired() == {}


def test_a_kill_waits_for_somebody_whom_it_may_kill(part: Part, start_process: StartProcess) -> None:
    host = start_process("-m", "local.functions_host")
    part.put({"name": "kill", "do": "kill", "times": 1})
    part.ask("POST", "/a", agent="a person")
    with pytest.raises(ConnectionResetError):
        part.ask("POST", "/a", agent=_agent(host))
    assert host.wait(DEADLINE_S) == -signal.SIGKILL


@pytest.mark.parametrize(
    ("condition", "meets", "passes"),
    [
        ({"method": "POST|PUT"}, {"method": "PUT"}, {"method": "PATCH"}),
        ({"method": "P.T"}, {"method": "PUT"}, {"method": "PATCH"}),
        ({"path": "/Rows$"}, {"path": "/account/Rows"}, {"path": "/account/Rows(1)"}),
        ({"path": r"\('a b'\)"}, {"path": "/Rows('a%20b')?x=1"}, {"path": "/Rows?x=('a%20b')"}),
        ({"body": '"done": ?true'}, {"body": b'{"done":true}'}, {"body": b'{"done":false}'}),
        ({"agent": r"pid/\d+"}, {"agent": "sdk pid/7"}, {"agent": "sdk"}),
    ],
)
def test_a_rule_says_whom_it_meets(part: Part, condition: Rule, meets: Any, passes: Any) -> None:
    part.put({"name": "some", "do": "answer", **condition})
    for expected, given in ((503, meets), (200, passes)):
        request = {"method": "POST", "path": "/a", **given}
        assert part.ask(request.pop("method"), request.pop("path"), **request)[0] == expected


def test_the_first_rule_that_is_not_spent_applies(part: Part) -> None:
    part.put(
        {"name": "elsewhere", "do": "answer", "status": 500, "path": "/b"},
        {"name": "twice", "do": "answer", "status": 501, "times": 2},
        {"name": "then", "do": "answer", "status": 502},
    )
    assert [part.ask("GET", "/a")[0] for _ in range(4)] == [501, 501, 502, 502]
    assert part.fired() == {"twice": 2, "then": 2}


def test_a_rule_that_is_put_again_is_not_armed_again(part: Part) -> None:
    once = {"name": "once", "do": "answer", "times": 1}
    part.put(once)
    part.ask("GET", "/a")
    part.put({"name": "more", "do": "html", "path": "/b"}, once)
    assert part.ask("GET", "/a")[0] == 200


def test_the_counts_of_rules_that_are_gone_live_on(part: Part) -> None:
    part.put({"name": "gone", "do": "answer"})
    part.ask("GET", "/a")
    part.put()
    assert part.ask("GET", "/a")[0] == 200
    assert part.fired() == {"gone": 1}


def test_a_share_of_the_requests_meets_the_fault_the_same_share_each_time(part: Part) -> None:
    met = []
    for name in ("first", "second"):
        faults = Faults(lambda _: Response(200))
        part.server.answer = faults
        part.put({"name": name, "do": "answer", "share": 0.3})
        met.append([part.ask("GET", "/a")[0] == 503 for _ in range(100)])
    assert met[0] == met[1]
    assert 15 < sum(met[0]) < 45


def test_the_control_of_the_part_itself_meets_no_fault(part: Part) -> None:
    part.put({"name": "all", "do": "reset"})
    assert part.ask("GET", "/_fake/calls")[:2] == (200, b"done")


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ("{", "This is no JSON: "),
        ({"name": "a", "do": "reset"}, "The rules are not a list."),
        ([7], "A rule is an object, not 7."),
        ([{"do": "reset"}], "A rule has a name."),
        ([{"name": "a"}], "A rule has a do."),
        ([{"name": "a", "do": "explode"}], "do is one of answer, reset, slow, html, kill, not 'explode'."),
        ([{"name": "a", "do": "reset", "colour": "red"}], "A rule has no colour."),
        ([{"name": "", "do": "reset"}], "name is a text, not ''."),
        ([{"name": "a", "do": "reset", "path": "("}], "path is a regular expression, not '('."),
        ([{"name": "a", "do": "reset", "method": 7}], "method is a regular expression, not 7."),
        ([{"name": "a", "do": "reset", "share": 1.1}], "share is a number from 0 to 1, not 1.1."),
        ([{"name": "a", "do": "reset", "times": True}], "times is a whole number from 1, not True."),
        ([{"name": "a", "do": "slow", "delay_s": -1}], "delay_s is a number of seconds up to 600, not -1."),
        ([{"name": "a", "do": "answer", "status": 200}], "status is an error's HTTP status, not 200."),
        ([{"name": "a", "do": "kill", "signal": 0}], "signal is the number of a signal, not 0."),
        ([{"name": "a", "do": "reset", "when": "later"}], "when is before or after, not 'later'."),
    ],
)
def test_wrong_rules_are_refused_and_change_nothing(part: Part, rules: object, reason: str) -> None:
    part.put({"name": "in force", "do": "answer"})
    right: Rule = {"name": "right", "do": "html"}
    wrong = [right, *rules] if isinstance(rules, list) else rules
    body = wrong.encode() if isinstance(wrong, str) else json.dumps(wrong).encode()
    status, error = part.put_body(body)
    assert status == 400
    assert error.startswith(reason)
    assert part.ask("GET", "/a")[0] == 503


def test_rules_are_put_and_counts_are_got_and_nothing_else(part: Part) -> None:
    assert part.ask("POST", "/_fake/faults", b"[]")[0] == 405
