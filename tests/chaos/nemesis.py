"""Carries a plan of faults out: every kind of fault is one method, which begins it, waits, and ends it."""

import math
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from random import Random
from typing import Any

from local.cloud import Cloud
from shared.settings import Settings
from tests.chaos.levers import Levers
from tests.chaos.moments import CALLS_BEGIN_AFTER_S, MOMENTS
from tests.chaos.people import Administrator, Operator, insist
from tests.chaos.plan import Injection

type Rule = dict[str, Any]

_WRITES = "POST|PUT|PATCH|MERGE|DELETE"


class Nemesis:
    """`injected`: how often each kind was carried out; kills in a moment count when they have met somebody."""

    def __init__(self, cloud: Cloud, operator: Operator, administrator: Administrator) -> None:
        self._cloud = cloud
        self._levers = Levers(cloud)
        self._operator = operator
        self._administrator = administrator
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._names = 0
        self.injected: Counter[str] = Counter()
        self.problems: list[str] = []
        self._methods = self._by_kind()

    def carry_out(self, plan: Sequence[Injection], began: float) -> None:
        """Returns when the last fault of the plan has ended; a trap stays until it is sprung, or `stop`.

        `began`: time.monotonic.
        """
        pool = ThreadPoolExecutor(len(plan), thread_name_prefix="nemesis")
        futures = []
        for injection in plan:
            if self._stopped.wait(max(0.0, began + injection.at_s - time.monotonic())):
                break
            future = pool.submit(self._inject, injection)
            if not injection.is_trap:
                futures.append(future)
        pool.shutdown(wait=False)
        for future in futures:
            future.result()

    @property
    def kinds(self) -> Collection[str]:
        """What can be carried out."""
        return self._methods.keys()

    def stop(self) -> None:
        self._stopped.set()

    def _inject(self, injection: Injection) -> None:
        if self._methods[injection.kind](injection) is not False:
            with self._lock:
                self.injected[injection.kind] += 1

    def _by_kind(self) -> Mapping[str, Callable[[Injection], object]]:
        """By the names of `plan.KINDS`."""
        kills = {f"kill in a {moment}": partial(self._kill_in, moment) for moment in MOMENTS}
        kills["kill before a follow-up"] = kills.pop("kill in a follow-up")
        return {
            **kills,
            "kill": partial(self._kill_any, signal.SIGKILL),
            "terminate": partial(self._kill_any, signal.SIGTERM),
            "second poller": self._second_poller,
            "api: limit of a window": self._switch("api_window", {"calls": 20, "per_s": 2.0}),
            "api: limit of a bucket": self._switch("api_bucket", {"rate_per_s": 15.0, "burst": 15}),
            "api: 503": self._switch("api_outage", "unavailable"),
            "api: reset": self._switch("api_outage", "reset"),
            "api: HTML": self._switch("api_outage", "html"),
            "api: long outage": self._switch("api_outage", "unavailable"),
            "api: slow": self._switch("api_latency_s", 1.0),
            "api: slower than the read timeout": self._switch("api_latency_s", 1.8),
            "api: connection refused": self._connection_refused,
            "pause": lambda injection: self._operator.pause(injection.lasts_s),
            "cancel": lambda injection: self._operator.cancel(injection.draw),
            "token: outage": self._switch("token_outage", "unavailable"),
            "token: HTML": self._switch("token_outage", "html"),
            "token: invalid_grant until replaced": self._revoked,
            "token: replaced in the moment of a write-back": self._replaced_in_the_moment,
            "token: access tokens revoked": lambda _: self._revoke("access"),
            "token: access tokens live for seconds": self._switch("access_token_lifetime_s", 2.0),
            "token: no MFA until replaced": self._without_mfa,
            "client secret replaced": self._client_secret_replaced,
            **{f"vault: {name}": self._rules("key_vault", rule) for name, rule in _azure_troubles().items()},
            **{f"identity: {name}": self._rules("identity", rule) for name, rule in _azure_troubles().items()},
            "storage: outage": self._rules("storage_front", {"do": "reset"}),
            "storage: server busy": self._rules(
                "storage_front", {"do": "answer", "status": 503, "code": "ServerBusy", "share": 0.4}
            ),
            "storage: slow": self._rules("storage_front", {"do": "slow", "delay_s": 0.8, "share": 0.4}),
            "storage: answers of writes lost": self._rules(
                "storage_front", {"do": "reset", "when": "after", "method": _WRITES, "share": 0.3}
            ),
            "storage: restarted": self._restarted("azurite"),
            "bus: connections cut": lambda _: self._levers.bus("cut"),
            "bus: locks lost": lambda _: self._levers.bus("lose-locks"),
            "bus: restarted": self._restarted("service_bus"),
            "bus: killed": self._restarted("service_bus", signal.SIGKILL),
        }

    # one kind of fault each

    def _switch(self, name: str, value: object) -> Callable[[Injection], None]:
        def inject(injection: Injection) -> None:
            with self._levers.switched(name, value):
                self._stopped.wait(injection.lasts_s)

        return inject

    def _rules(self, part: str, rule: Rule) -> Callable[[Injection], None]:
        def inject(injection: Injection) -> None:
            with self._levers.ruled(part, rule | {"name": self._name(part)}):
                self._stopped.wait(injection.lasts_s)

        return inject

    def _restarted(self, part: str, sig: signal.Signals = signal.SIGTERM) -> Callable[[Injection], None]:
        def inject(_: Injection) -> None:
            with self._levers.alone(part):
                self._cloud.restart(part, sig)

        return inject

    def _kill_in(self, moment: str, injection: Injection) -> bool:
        """Kills whoever asks next for what belongs to that moment. False: nobody came."""
        rule: Rule = {"do": "kill", "times": 1, "agent": r"pid/\d+", "signal": _signal(injection), **MOMENTS[moment]}
        if moment.endswith("call"):
            earliest, latest = CALLS_BEGIN_AFTER_S
            rule |= {"when": "after", "delay_s": earliest + injection.draw * (latest - earliest)}
        else:
            rule |= {"when": "before" if injection.draw < 0.5 and moment != "follow-up" else "after"}
        name = self._name(moment)
        with self._levers.ruled("storage_front", rule | {"name": name}):
            ends = math.inf if injection.is_trap else time.monotonic() + max(injection.lasts_s, 5)
            while time.monotonic() < ends and not self._stopped.wait(0.2):
                if self._cloud.faults_fired("storage_front").get(name):
                    return True
        return False

    def _kill_any(self, sig: signal.Signals, injection: Injection) -> bool:
        while not self._levers.may_kill and not self._stopped.wait(0.1):
            pass
        alive = [function for function in self._cloud.functions if function.host.running]
        if not alive:
            return False
        Random(injection.draw).choice(alive).host.process.send_signal(sig)
        return True

    def _second_poller(self, injection: Injection) -> None:
        """A double run of the timer, as after a crash or a deployment."""
        function = self._cloud.start_function("PollUpgrade")
        self._stopped.wait(injection.lasts_s)
        self._cloud.end_function(function)

    def _connection_refused(self, injection: Injection) -> None:
        with self._levers.alone("partner_center"):
            self._cloud.stop_part("partner_center")
            self._stopped.wait(injection.lasts_s)
            self._cloud.start_part("partner_center")

    def _revoked(self, injection: Injection) -> None:
        with self._administrator.alone():
            self._revoke("refresh")
            self._revoke("access")
            self._stopped.wait(injection.lasts_s)
            self._administrator.consent()

    def _replaced_in_the_moment(self, injection: Injection) -> bool:
        """While the app's write-back is on its way, a person puts a token there; all earlier ones end."""
        name = self._name("write-back")
        rule = {"do": "slow", "method": "PUT", "agent": r"pid/\d+", "delay_s": 0.3 + injection.draw, "times": 1}
        path = f"/secrets/{Settings.refresh_token_secret_name}"
        with (
            self._administrator.alone(),
            self._levers.ruled("key_vault", rule | {"path": path, "name": name}),
        ):
            ends = time.monotonic() + 20
            while not self._cloud.faults_fired("key_vault").get(name):
                if time.monotonic() > ends or self._stopped.wait(0.05):
                    return False
            with self._levers.nobody_dies():  # between the app's write and its look at what a person wrote
                died = self._cloud.deaths
                self._revoke("refresh")
                self._administrator.consent()
                self._stopped.wait(8)
                good = self._administrator.token_is_good()
            if not good:
                self._administrator.consent()
            if not good and self._cloud.deaths == died:
                self.problems.append("a consent given during a write-back was lost")
            return good

    def _without_mfa(self, injection: Injection) -> None:
        with self._administrator.alone():
            self._administrator.consent(mfa=False)
            self._revoke("access")
            self._stopped.wait(max(1.5, injection.lasts_s))
            self._administrator.consent()

    def _client_secret_replaced(self, injection: Injection) -> None:
        with self._administrator.alone():
            put_into_vault = self._administrator.new_client_secret()
            self._stopped.wait(injection.lasts_s)
            put_into_vault()

    def _revoke(self, kind: str) -> None:
        insist(lambda: self._cloud.fake("POST", f"revoke-{kind}-tokens"))  # it may be refusing connections just now

    def _name(self, about: str) -> str:
        with self._lock:
            self._names += 1
            return f"{about} {self._names}"


def _azure_troubles() -> Mapping[str, Rule]:
    """Of Key Vault and of the identity endpoint; a person gets through, so that what is mended is mended."""
    of_the_app = {"agent": r"pid/\d+"}
    return {
        "outage": {"do": "answer", "status": 503} | of_the_app,
        "throttled": {"do": "answer", "status": 429, "retry_after": "1"} | of_the_app,
        "slow": {"do": "slow", "delay_s": 2.0} | of_the_app,
    }


def _signal(injection: Injection) -> int:
    """Mostly the one that nobody can catch."""
    return signal.SIGTERM if injection.draw > 0.85 else signal.SIGKILL
