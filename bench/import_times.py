"""How long imports take, by package: what `python -X importtime` writes ("Command line and environment")."""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from local.component import REPOSITORY

STANDARD_LIBRARY = "the standard library"
_LINE = re.compile(r"import time: +(\d+) \| +\d+ \| +([\w.]+)$", re.MULTILINE)
_AZURE_SDK = ("azure.data", "azure.keyvault")  # one level more tells their packages apart


def import_ms(statement: str, environment: Mapping[str, str]) -> Counter[str]:
    """Milliseconds by package, what a package imports of others not counted in. In a new interpreter."""
    command = [sys.executable, "-X", "importtime", "-c", statement]
    found = subprocess.run(command, cwd=REPOSITORY, env=dict(environment), capture_output=True, text=True, check=True)
    return by_package(found.stderr)


def by_package(text: str) -> Counter[str]:
    found = Counter[str]()
    for microseconds, module in _LINE.findall(text):
        found[package_of(module)] += int(microseconds) / 1000  # type: ignore[assignment]  # a Counter of floats
    return found


def package_of(module: str) -> str:
    top, *_ = parts = module.split(".")
    if top in sys.stdlib_module_names or top.startswith("_"):
        return STANDARD_LIBRARY
    if top == "azure":
        return ".".join(parts[: 3 if ".".join(parts[:2]) in _AZURE_SDK else 2])
    return top


def bytecode_in(folder: Path) -> Mapping[str, str]:
    """Settings of a process that keeps the bytecode of all that it imports there, whatever its environment says."""
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder.resolve())}


def from_source(folder: Path) -> Mapping[str, str]:
    """Settings of a process that finds no bytecode in that folder, which is to be empty, and keeps none."""
    return {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": str(folder.resolve())}
