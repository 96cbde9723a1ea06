"""docs/grants.md walks through every grant that a deployment makes, and through no other."""

import re

from tests.infra.arm import deploy
from tests.infra.combinations import INFRA, Combination
from tests.infra.policies_grants import granted
from tests.infra.test_policies import main

_PAGE = INFRA.parent / "docs" / "grants.md"
_LISTS = ("producers", "operators", "administrators")


def test_the_page_has_every_grant_and_no_other() -> None:
    assert _on_the_page() == _granted(certificate=True) | _granted(certificate=False)


def test_the_tests_that_the_page_names_exist() -> None:
    named = set(re.findall(r"`(test_\w+)`", _PAGE.read_text()))
    tests = "".join(file.read_text() for file in (INFRA.parent / "tests").rglob("test_*.py"))
    assert named
    assert not {name for name in named if f"def {name}(" not in tests}


def _on_the_page() -> set[tuple[str, str, str]]:
    """(whose, role, on what) of each row of each table."""
    found, whose = set(), ""
    for line in _PAGE.read_text().splitlines():
        if line.startswith("## "):
            whose = line.removeprefix("## ").removeprefix("The ").lower()
        elif line.startswith("| ") and not line.startswith("| role "):
            role, scope = (cell.strip(" `") for cell in line.split("|")[1:3])
            found.add((whose, role, scope))
    return found


def _granted(*, certificate: bool) -> set[tuple[str, str, str]]:
    combination = Combination(premium=False, certificate=certificate, people=False, data_owner=True)
    people = {name: [{"principalId": name, "principalType": "Group"}] for name in _LISTS}
    deployment = deploy(main().document, {**combination.parameters, **people})
    words = {deployment.parameters[f"{name}SecretName"]: words for name, words in _SECRETS.items()}
    grants = granted(deployment)
    return {(who if who in _LISTS else "app", role, words.get(scope, scope)) for who, role, scope in grants}


_SECRETS = {"client": "client secret", "refreshToken": "refresh token"}
