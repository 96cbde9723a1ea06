"""README and docs name commands, settings, folders, packages and pages that there are."""

import re
from dataclasses import MISSING, fields
from pathlib import Path
from urllib.parse import unquote

import pytest

from local.component import REPOSITORY
from shared.settings import Settings

README = (REPOSITORY / "README.md").read_text()
MAKEFILE = (REPOSITORY / "Makefile").read_text()
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md"), *(REPOSITORY / "bench").glob("*.md")])
TARGETS = set(re.findall(r"^([a-z][a-z-]*):.*## ", MAKEFILE, re.MULTILINE))
# Made by commands, or by git.
NOT_LISTED = {".git", ".local", ".venv", ".python_packages", ".azure", ".hypothesis", "node_modules", "build"}


def _section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def _first_cells(table: str) -> list[str]:
    return re.findall(r"^\| (`.+?`|\S+) \|", table, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_no_make_target_that_is_not_there(page: Path) -> None:
    assert set(re.findall(r"(?:`|^)make ([a-z][a-z-]*)", page.read_text(), re.MULTILINE)) <= TARGETS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        path, _, anchor = link.partition("#")
        if "://" in path:
            continue
        target = (page.parent / unquote(path)) if path else page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


def _anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_target_is_in_the_help_and_is_phony() -> None:
    phony = set(re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)[0].split())
    assert phony == TARGETS


def test_the_settings_table_is_the_settings() -> None:
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (.+?) \|", _section("Settings"), re.MULTILINE))
    declared = {field.name.upper(): _shown(field.default) for field in fields(Settings)}
    of_the_platform = {"UPGRADE_QUEUE": "required", "POLL_SCHEDULE": "required"}  # which reads them for function.json
    assert {name: value.strip("`") for name, value in rows.items()} == declared | of_the_platform


def _shown(default: object) -> str:
    if default is MISSING:
        return "required"
    if default is None:
        return "none"
    return (
        ",".join(default)
        if isinstance(default, tuple)
        else f"{default:g}"
        if isinstance(default, float)
        else str(default)
    )


def test_the_folder_map_has_every_folder() -> None:
    listed = {name.strip("/") for cell in re.findall(r"^\| (.+?) \|", _section("The folders"), re.MULTILINE)
              for name in re.findall(r"`([\w.]+/)`", cell)}  # fmt: skip
    folders = {path.name for path in REPOSITORY.iterdir() if path.is_dir() and path.name not in NOT_LISTED}
    assert listed == {name for name in folders if not name.startswith((".", "__")) and not name.endswith(".egg-info")}


def test_the_dependency_table_is_what_is_wanted() -> None:
    wanted = re.findall(r"^([\w-]+)==", (REPOSITORY / "requirements.in").read_text(), re.MULTILINE)
    assert sorted(_first_cells(_section("Dependencies"))[1:]) == sorted(wanted)


@pytest.mark.parametrize("file", ["upgradectl", "dev"])
def test_every_tool_is_named(file: str) -> None:
    named = _section("Dependencies").lower()
    packages = re.findall(
        r"^([\w-]+)(?:\[\w+\])?==", (REPOSITORY / f"requirements-{file}.txt").read_text(), re.MULTILINE
    )
    assert not [name for name in packages if name.removeprefix("pytest-").removeprefix("types-") not in named]
