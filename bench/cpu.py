"""How much of the machine processes took: their CPU time, as the kernel counts it (proc(5), `/proc/[pid]/stat`)."""

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """User and system time of a process and of its children that have ended; 0 where it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    return seconds_in(text)


def seconds_in(stat: str) -> float:
    """Of the text of such a file: utime, stime, cutime and cstime."""
    fields = stat.rpartition(")")[2].split()  # a program's name may hold spaces and brackets
    return sum(map(int, fields[11:15])) * _TICK_S


def difference(before: Mapping[str, float], after: Mapping[str, float]) -> Counter[str]:
    """By name. A process that has ended in between counts as nothing, never as less."""
    return Counter({name: max(0.0, after[name] - before.get(name, 0.0)) for name in after})


def cores_text(used_s: Mapping[str, float], elapsed_s: float) -> str:
    """`CreateUpgrade 0.92, azurite 0.31 of 2 cores`: the largest first, what took next to nothing left out.

    The processes of one function, `CreateUpgrade-0` and so on, count together.
    """
    shares = Counter[str]()
    for name, seconds in used_s.items():
        shares[name.partition("-")[0]] += seconds / elapsed_s  # type: ignore[assignment]  # a Counter of floats
    named = [f"{name} {share:.2f}" for name, share in shares.most_common() if share >= 0.005]
    return f"{', '.join(named)} of {os.cpu_count()} cores"


class Stopwatch:
    """What processes take from its creation on; `read` gives the CPU seconds of each so far."""

    def __init__(self, read: Callable[[], Mapping[str, float]]) -> None:
        self._read = read
        self._before = read()
        self._began_s = time.monotonic()

    def cores(self) -> str:
        return cores_text(difference(self._before, self._read()), time.monotonic() - self._began_s)
