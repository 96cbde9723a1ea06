"""Imports point inward (see docs/architecture.md, "Layout")."""

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
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
# The functions themselves, what is measured beside them, and the local host that loads them.
MAY_BIND = ("CreateUpgrade", "PollUpgrade", "bench", "local", "tests")
# What speaks to services; `wiring` alone puts it together with what decides.
ADAPTERS = ("upgrade_store", "partner_center", "credentials", "key_vault", "sign_in", "transport")
# The whole tree, by what each part may import of the others: inward, and from the tests everything.
PARTS: dict[str, set[str]] = {
    "shared": set(),
    "CreateUpgrade": {"shared"},
    "PollUpgrade": {"shared"},
    "upgradectl": {"shared"},
    "local": {"shared"},
    "scripts": {"shared", "upgradectl"},
    "bench": {"shared", "local"},
    "examples": set(),
}
PARTS["tests"] = {*PARTS, "tests"}


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


def modules_of(part: str) -> list[Path]:
    """The Python files that are ours: no folder that is hidden, or installed."""
    found = (file.relative_to(REPOSITORY) for file in (REPOSITORY / part).glob("**/*.py"))
    return sorted(REPOSITORY / file for file in found if not any(_is_foreign(name) for name in file.parts))


def _is_foreign(name: str) -> bool:
    # The textbook function is written as the platform's quickstarts are, with relative imports.
    return name.startswith(".") or name in ("node_modules", "build", "textbook")


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


@pytest.mark.parametrize("part", PARTS)
def test_every_part_imports_inward(part: str) -> None:
    imports = {str(file.relative_to(REPOSITORY)): packages(everywhere(file)) & set(PARTS) for file in modules_of(part)}
    outward = {file: found - PARTS[part] - {part} for file, found in imports.items()}
    assert imports
    assert not {file: found for file, found in outward.items() if found}


def test_every_folder_with_code_is_a_known_part() -> None:
    assert {file.relative_to(REPOSITORY).parts[0] for file in modules_of(".")} == set(PARTS)


@pytest.mark.parametrize("name", PURE)
def test_what_decides_knows_no_adapter(name: str) -> None:
    assert not {f"shared.{adapter}" for adapter in ADAPTERS} & everywhere(CORE / f"{name}.py")


def test_no_module_is_imported_by_what_it_imports() -> None:
    graph = {}
    for file in modules_of("."):
        name = ".".join(file.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
        graph[name] = imported(iter(ast.parse(file.read_text()).body))
    known = {name: {other for other in found if other in graph and other != name} for name, found in graph.items()}
    TopologicalSorter(known).prepare()  # raises where there is a circle


def test_the_functions_binding_library_appears_in_the_function_folders_alone() -> None:
    others = [file for part in PARTS if part not in MAY_BIND for file in modules_of(part)]
    assert not [file for file in others if "azure.functions" in everywhere(file)]
