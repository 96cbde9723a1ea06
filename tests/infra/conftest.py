"""Collects these tests where there is a Bicep compiler. Elsewhere one line says why not; in CI that is an error."""

import contextlib
import os
import sys

import pytest

from tests.infra import compiler

try:
    compiler.command()
    missing = ""
except compiler.Unusable as error:
    missing = f"tests/infra is not collected: {error}"

if missing and os.environ.get("CI"):
    raise RuntimeError(missing)

collect_ignore_glob = ["test_*.py"] if missing else []


def pytest_configure(config: pytest.Config) -> None:
    """Says it once. Not in the summary: of xdist's processes, the one that writes it seldom comes here."""
    workers = getattr(config.option, "numprocesses", None)
    if missing and os.environ.get("PYTEST_XDIST_WORKER", "" if workers else "gw0") == "gw0":
        capture = config.pluginmanager.get_plugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
            print(f"\n{missing}", file=sys.stderr)  # noqa: T201  a worker's standard output is not the terminal
