"""Imports point inward (see docs/architecture.md, "Layout")."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import shared
from local.component import REPOSITORY

CORE = REPOSITORY / "shared"
FUNCTIONS = [REPOSITORY / name / "__init__.py" for name in ("CreateUpgrade", "PollUpgrade")]
# What decides: it runs without a cloud, a network, an environment and a clock.
PURE = (
    *("upgrades", "polling", "outcomes", "results", "tick", "gate", "ports", "models", "errors", "backoff", "messages"),
    *("documents", "refusals", "answers", "entities", "events", "settings"),
    *("evidence", "pace", "setbacks", "verdicts", "single_flight", "giving_up"),
)
OUTSIDE = {"azure", "requests", "urllib3", "msal", "socket", "os", "time", "random"}
PARTS = ["local", "tests", "scripts", "upgradectl", "bench", "CreateUpgrade", "PollUpgrade"]


def imported(nodes: Iterator[ast.AST]) -> set[str]:
    """The full names of the modules that are imported."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def everywhere(file: Path) -> set[str]:
    return imported(ast.walk(ast.parse(file.read_text())))


def packages(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def core_modules() -> list[Path]:
    return sorted(CORE.glob("**/*.py"))


def test_the_core_is_ours() -> None:
    assert shared.__file__
    assert Path(shared.__file__) == CORE / "__init__.py"


def test_the_map_of_the_core_names_its_modules() -> None:
    named = set(re.findall(r"`([a-z_]+)`", shared.__doc__ or ""))
    modules = {file.stem for file in core_modules()} - {"__init__"}
    assert named <= modules
    assert modules - named <= {"clock", "documents", "events", "single_flight"}  # what any module may use


@pytest.mark.parametrize("name", PURE)
def test_what_decides_knows_nothing_of_the_outside(name: str) -> None:
    assert not packages(everywhere(CORE / f"{name}.py")) & OUTSIDE


@pytest.mark.parametrize("file", core_modules(), ids=lambda file: file.stem)
def test_the_core_knows_only_itself_and_its_libraries(file: Path) -> None:
    names = everywhere(file)
    assert not packages(names) & set(PARTS)
    assert not any(name.startswith("azure.functions") for name in names)


def test_only_the_wiring_reads_the_environment_and_is_imported_by_nobody_in_the_core() -> None:
    readers = [file.stem for file in core_modules() if "os" in packages(everywhere(file))]
    users = [file.stem for file in core_modules() if "shared.wiring" in everywhere(file)]
    assert (readers, users) == (["wiring"], [])


@pytest.mark.parametrize("file", FUNCTIONS, ids=lambda file: file.parent.name)
def test_a_function_folder_imports_nothing_that_can_fail_before_it_is_invoked(file: Path) -> None:
    at_import = packages(imported(iter(ast.parse(file.read_text()).body)))
    assert at_import - sys.stdlib_module_names == {"azure"}
    azure = {name for name in everywhere(file) if name.startswith("azure.")}
    assert azure == {"azure.functions"}


def test_the_functions_binding_library_appears_in_the_function_folders_alone() -> None:
    others = [file for part in ("shared", "upgradectl") for file in (REPOSITORY / part).glob("**/*.py")]
    assert not [file for file in others if "azure.functions" in everywhere(file)]
