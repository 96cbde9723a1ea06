"""Faults on demand around any fake: errors, cut connections, delays, and the death of the process that asked.

Control at `/_fake/faults`, without sign-in: PUT replaces the rules in force with a JSON list of `fault_rules.Rule`, GET
answers how often each name has fired so far. Requests to `/_fake/` meet no fault themselves.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable

from local.callers import kill, may_be_killed, pid_of
from local.fault_rules import Rule, RuleError, parse_rules
from local.http import Answer, Request, Response, json_response, reset

FAULTS_PATH = "/_fake/faults"
SLOW_S = 1.0  # where a rule names no delay
_CONTROLS = "/_fake/"
_PAGE = Response(200, b"<!DOCTYPE html><title>We'll be back</title>", {"Content-Type": "text/html"})


class Faults:
    """An `Answer` around the inner one. `draw` gives numbers from 0 to below 1; by default always the same ones."""

    def __init__(
        self,
        inner: Answer,
        *,
        draw: Callable[[], float] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._inner = inner
        self._draw = draw or random.Random(1).random
        self._sleep = sleep
        self._lock = threading.Lock()
        self._rules: tuple[Rule, ...] = ()
        self._fired: Counter[str] = Counter()

    def __call__(self, request: Request) -> Response | None:
        if request.path == FAULTS_PATH:
            return self._control(request)
        rule = None if request.path.startswith(_CONTROLS) else self._rule_for(request)
        return self._inner(request) if rule is None else self._meet(rule, request)

    def _control(self, request: Request) -> Response:
        if request.method == "GET":
            with self._lock:
                return json_response(200, self._fired)
        if request.method != "PUT":
            return json_response(405, {"error": "GET and PUT are possible here."})
        try:
            rules = parse_rules(request.body)
        except RuleError as error:
            return json_response(400, {"error": str(error)})
        with self._lock:
            self._rules = rules
        return json_response(200, {"rules": len(rules)})

    def _rule_for(self, request: Request) -> Rule | None:
        """The first rule that applies; it counts as fired."""
        with self._lock:
            rule = next((rule for rule in self._rules if self._applies(rule, request)), None)
            if rule:
                self._fired[rule.name] += 1
            return rule

    def _applies(self, rule: Rule, request: Request) -> bool:
        spent = rule.times is not None and self._fired[rule.name] >= rule.times
        if spent or not rule.matches(request):
            return False
        if rule.do == "kill" and not may_be_killed(pid_of(request)):
            return False
        return self._draw() < rule.share

    def _meet(self, rule: Rule, request: Request) -> Response | None:
        if rule.when == "before":
            return self._fault(rule, request, lambda: self._inner(request))
        response = self._inner(request)
        answer = self._fault(rule, request, lambda: response)
        # None: the inner part has taken the connection into its own hands, so nothing more can be sent.
        return None if response is None else answer

    def _fault(self, rule: Rule, request: Request, proceed: Callable[[], Response | None]) -> Response | None:
        match rule.do:
            case "answer":
                return _error(rule)
            case "html":
                return _PAGE
            case "reset":
                _cut(request)
                return None
            case "slow":
                self._sleep(SLOW_S if rule.delay_s is None else rule.delay_s)
                return proceed()
            case "kill" if rule.delay_s:
                _kill_later(pid_of(request), rule.signal, rule.delay_s)
                return proceed()
            case "kill":
                kill(pid_of(request), rule.signal)
                _cut(request)
                return None


def _error(rule: Rule) -> Response:
    """In the form of Key Vault and the identity endpoint, and in that of the tables (OData), at once."""
    text = "The request met a fault that was asked for."
    content = {
        "error": {"code": rule.code, "message": text},
        "odata.error": {"code": rule.code, "message": {"lang": "en-US", "value": text}},
    }
    return json_response(rule.status, content, {"Retry-After": rule.retry_after} if rule.retry_after else None)


def _kill_later(pid: int | None, sig: int, delay_s: float) -> None:
    timer = threading.Timer(delay_s, kill, (pid, sig))
    timer.daemon = True
    timer.start()


def _cut(request: Request) -> None:
    if request.connection.fileno() >= 0:  # else the inner part has cut it itself
        reset(request.connection)
