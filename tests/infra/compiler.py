"""The Bicep compiler as a command: which one, whether it is new enough, and what it prints.

Follows "Bicep CLI commands" (Azure Resource Manager documentation).
"""

import functools
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The first one in which @onlyIfNotExists is no experiment.
LEAST_VERSION = (0, 38, 0)
INSTALL = "https://aka.ms/bicep-install, or `az bicep install`"

# Read once: pytest changes it while compilers are started in other threads.
_ENVIRONMENT = {
    **os.environ,
    "AZURE_BICEP_CHECK_VERSION": "False",  # az would remark on stderr that a newer compiler is out
}


class Unusable(RuntimeError):
    """There is no compiler here that can check the templates."""


@dataclass(frozen=True)
class Output:
    """What one run printed. Whatever stands in `errors` counts: most mismatches inside a resource are only warnings."""

    returncode: int
    text: str
    errors: str

    @property
    def silent(self) -> bool:
        return self.returncode == 0 and not self.errors.strip()

    @property
    def document(self) -> dict[str, Any]:
        return dict(json.loads(self.text))


@functools.cache
def command() -> tuple[str, ...]:
    """The compiler's words: those of BICEP, else `bicep`, else `az bicep`.

    Raises:
        Unusable: there is none, or an old one.
    """
    words = _named() or _found()
    printed = _run((*words, "version" if _is_az(words) else "--version"))
    version = re.search(r"(\d+)\.(\d+)\.(\d+)", printed.text)
    least = ".".join(map(str, LEAST_VERSION))
    if printed.returncode or not version:
        raise Unusable(f"'{shlex.join(words)}' does not tell its version; Bicep {least} or later is needed: {INSTALL}")
    if tuple(map(int, version.groups())) < LEAST_VERSION:
        raise Unusable(f"Bicep {version.group()} is too old, {least} or later is needed: {INSTALL}")
    return words


def build(template: Path) -> Output:
    return _compile("build", template, "--stdout")


def build_params(file: Path, env: Mapping[str, str | None] | None = None) -> Output:
    """`env`: what `readEnvironmentVariable` reads, where this process's environment differs. None: not set."""
    return _compile("build-params", file, "--stdout", env=env)


def lint(template: Path) -> Output:
    return _compile("lint", template)


def _compile(verb: str, file: Path, *options: str, env: Mapping[str, str | None] | None = None) -> Output:
    words = command()
    where = ("--file", str(file)) if _is_az(words) else (str(file),)
    return _run((*words, verb, *where, *options), env)


def _run(words: tuple[str, ...], env: Mapping[str, str | None] | None = None) -> Output:
    environment = {name: value for name, value in {**_ENVIRONMENT, **(env or {})}.items() if value is not None}
    try:
        done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=50, check=False)
    except OSError as error:
        return Output(127, "", str(error))
    return Output(done.returncode, done.stdout, done.stderr)


def _named() -> tuple[str, ...]:
    return tuple(shlex.split(os.environ.get("BICEP", "")))


def _found() -> tuple[str, ...]:
    if shutil.which("bicep"):
        return ("bicep",)
    if shutil.which("az"):
        return ("az", "bicep")
    raise Unusable(f"there is no Bicep compiler on the PATH: {INSTALL}; or name it: BICEP=/path/to/bicep")


def _is_az(words: tuple[str, ...]) -> bool:
    return Path(words[0]).stem == "az"
