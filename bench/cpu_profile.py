"""Which packages a process spends its CPU time in: samples of its stacks ("py-spy record", format raw)."""

import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.progress import say
from local.component import REPOSITORY

_RATE_HZ = 200
# What a frame's file belongs to; the first that matches. What stands in none, as the standard library, is its caller's.
_PACKAGES: Mapping[str, tuple[str, ...]] = {
    "the tables' SDK": ("site-packages/azure/data/tables", "site-packages/azure/core"),
    "other SDKs": ("site-packages/azure/identity", "site-packages/azure/keyvault", "site-packages/msal/"),
    "HTTP: requests, urllib3": ("site-packages/requests/", "site-packages/urllib3/"),
    "the broker's SDK": ("site-packages/azure/servicebus",),
    "host and worker": (f"{REPOSITORY}/local/", "site-packages/azure_functions", "site-packages/azure/functions"),
    "the function's own code": tuple(f"{REPOSITORY}/{name}/" for name in ("shared", "CreateUpgrade", "bench")),
}
OTHERS = "others"
_FRAME = re.compile(r"\((\S+):\d+\)")


@dataclass
class Profile:
    """Samples by package; complete when the block of `profiled` has ended. None were taken: there is no py-spy here."""

    samples: Counter[str] = field(default_factory=Counter)

    def share(self, package: str) -> float | None:
        return self.samples[package] / self.samples.total() if self.samples else None


@contextmanager
def profiled(pid: int, output: Path) -> Iterator[Profile]:
    """Samples a process while the block runs. Where it may not be looked into, nothing is found, and it is said."""
    profile = Profile()
    command = [str(Path(sys.executable).with_name("py-spy")), "record", "--pid", str(pid), "--format", "raw"]
    command += ["--rate", str(_RATE_HZ), "--duration", "3600", "--nonblocking", "--gil", "--full-filenames"]
    command += ["--output", str(output)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as sampler:
        try:
            yield profile
        finally:
            sampler.send_signal(signal.SIGINT)
            _, told = sampler.communicate(timeout=60)
    if output.exists():
        profile.samples.update(by_package(output.read_text().splitlines()))
    else:
        say(f"no profile: {told.strip().splitlines()[-1:]}")


def by_package(stacks: Iterable[str]) -> Counter[str]:
    """Of lines `outermost;...;innermost count`, each frame being `name (file:line)`."""
    found = Counter[str]()
    for line in stacks:
        stack, _, count = line.rpartition(" ")
        found[_package_of(stack.split(";"))] += int(count)
    return found


def _package_of(stack: list[str]) -> str:
    for frame in reversed(stack):
        if file := _FRAME.search(frame):
            for package, folders in _PACKAGES.items():
                if any(folder in file[1] for folder in folders):
                    return package
    return OTHERS


def packages() -> Iterable[str]:
    return (*_PACKAGES, OTHERS)
