"""What stays true where faults of the same part overlap: the end of one does not end the other."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import requests

from local.cloud import Cloud
from local.partner_center.switches import Switches
from tests.chaos.people import insist

_KILLER = "storage_front"  # who kills on request
NORMAL = asdict(Switches()) | {"api_latency_s": 0.05}


class Levers:
    """The switches and rules in force, each for as long as a block lasts."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._lock = threading.RLock()
        self._switched: list[tuple[str, object]] = []
        self._rules: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self._spared = 0
        self._parts: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    @contextmanager
    def switched(self, name: str, value: object) -> Iterator[None]:
        """A switch of the fake Partner Center; of several values the one that came last is in force."""
        mine = (name, value)
        with self._lock:
            self._switched.append(mine)
            self._turn(name)
        try:
            yield
        finally:
            with self._lock:
                self._switched.remove(mine)
                self._turn(name)

    @contextmanager
    def ruled(self, part: str, rule: dict[str, Any]) -> Iterator[None]:
        """A rule of a part's faults."""
        with self._lock:
            self._rules[part].append(rule)
            self._put(part)
        try:
            yield
        finally:
            with self._lock:
                self._rules[part].remove(rule)
                self._put(part)

    @contextmanager
    def nobody_dies(self) -> Iterator[None]:
        """No process is killed meanwhile; what was to be is put off."""
        with self._lock:
            self._spared += 1
            self._put(_KILLER)
        try:
            yield
        finally:
            with self._lock:
                self._spared -= 1
                self._put(_KILLER)

    @property
    def may_kill(self) -> bool:
        return not self._spared

    @contextmanager
    def alone(self, part: str) -> Iterator[None]:
        """Nobody else stops or starts it meanwhile."""
        with self._parts[part]:
            yield

    def bus(self, command: str) -> None:
        """A command of the broker's control."""
        url = f"{self._cloud.parts['service_bus'].facts['control_url']}/_fake/{command}"
        insist(lambda: requests.post(url, timeout=5).raise_for_status())

    def _turn(self, name: str) -> None:
        values = [value for switch, value in self._switched if switch == name]
        insist(lambda: self._cloud.fake("PUT", "switches", {name: values[-1] if values else NORMAL[name]}))

    def _put(self, part: str) -> None:
        rules = [rule for rule in self._rules[part] if self.may_kill or rule["do"] != "kill"]
        insist(lambda: self._cloud.faults(part, rules))
