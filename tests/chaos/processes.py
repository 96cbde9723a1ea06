"""The functions' processes during a campaign: who they were, when they lived, and how much memory they took."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from local.cloud import Cloud
from local.functions import Function
from tests.chaos.record import MemorySample, Poller

_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Processes:
    """What `look` has seen so far; it is to be called several times a second."""

    cloud: Cloud
    memory: list[MemorySample] = field(default_factory=list)
    _seen: dict[int, Function] = field(default_factory=dict)
    _last_seen: dict[int, float] = field(default_factory=dict)

    def look(self) -> None:
        now = time.time()
        for function in list(self.cloud.functions):
            self._seen[function.pid] = function
            if (rss_mb := _rss_mb(function.pid)) is not None:
                self._last_seen[function.pid] = now
                self.memory.append(MemorySample(_name(function), now - function.started_at, rss_mb))

    @property
    def names(self) -> Mapping[int, str]:
        """By process id; the operating system gives none twice within a campaign."""
        return {pid: _name(function) for pid, function in self._seen.items()}

    def pollers(self) -> Sequence[Poller]:
        return list(self._pollers())

    def _pollers(self) -> Iterator[Poller]:
        for pid, function in self._seen.items():
            if function.name == "PollUpgrade":
                until_s = None if function.host.running else self._last_seen.get(pid, function.started_at) + 1
                yield Poller(_name(function), function.started_at, until_s)


def _name(function: Function) -> str:
    return f"{function.name}-{function.pid}"


def _rss_mb(pid: int) -> float | None:
    """Resident memory; None: the process is gone."""
    try:
        with open(f"/proc/{pid}/statm") as statm:  # noqa: PTH123  a Path for each of thousands of samples is waste
            return int(statm.read().split()[1]) * _PAGE / 1e6
    except (OSError, IndexError):
        return None


def log_lines(folder: Path) -> Iterator[str]:
    """All that the functions' processes wrote, also what they wrote to standard error."""
    for name in ("CreateUpgrade", "PollUpgrade"):
        for path in sorted(folder.glob(f"{name}-*")):
            yield from path.read_text(errors="replace").splitlines()
