"""Under what conditions something was measured: machine, versions, revision, command, date."""

import importlib.metadata
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from local.component import REPOSITORY

_PACKAGES = (
    "azure-functions-runtime-v1",
    "azure-data-tables",
    "azure-identity",
    "azure-keyvault-secrets",
    "msal",
    "requests",
)
_WRITTEN = (":!bench/results.json", ":!bench/RESULTS.md", ":!bench/plots")  # by the benchmark itself


@dataclass(frozen=True)
class Provenance:
    """`date`: UTC, to the minute. `revision`: of the repository, with `+` where files had been changed."""

    date: str
    machine: str
    versions: str
    revision: str
    command: str


def provenance(command: str) -> Provenance:
    return Provenance(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        machine=_machine(),
        versions=_versions(),
        revision=_revision(),
        command=command,
    )


def _machine() -> str:
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return f"{os.cpu_count()} x {_cpu_model()}, {memory_gb:.0f} GB, {_system()}"


def _system() -> str:
    """`Linux 6.18`: what a distribution or a host adds to its kernel's version says nothing about speed."""
    return f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}"


def _cpu_model() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def _versions() -> str:
    packages = [f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES]
    return ", ".join([f"Python {platform.python_version()}", f"Node {_output('node', '--version')[1:]}", *packages])


def _revision() -> str:
    revision = _output("git", "rev-parse", "--short=10", "HEAD")
    changed = _output("git", "status", "--porcelain", "--", ".", *_WRITTEN)
    return revision + ("+" if revision and changed else "")


def _output(*command: str) -> str:
    """Empty where there is no such program, or it fails."""
    try:
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def command_line(arguments: Sequence[str]) -> str:
    return " ".join(["python -m bench", *arguments])
