"""docs/deploy.md names nothing that the repository does not have, and its numbers are the code's."""

import ast
import json
import re
import shlex
from itertools import accumulate
from typing import Any, get_type_hints

import pytest
import typer

from local.component import REPOSITORY
from scripts import package
from shared import backoff
from shared.messages import Message, parse
from shared.settings import Settings
from shared.tick import Poller
from shared.upgrades import claim, submit_claimed
from tests.fakes import NOON, FakeTokens, InMemoryStore, World, request
from upgradectl.app import app


def _text(*patterns: str) -> str:
    return "\n".join(file.read_text() for pattern in patterns for file in sorted(REPOSITORY.glob(pattern)))


PAGE, BICEP, ROLES = _text("docs/deploy.md"), _text("infra/main.bicep"), _text("infra/modules/roles.bicep")
ENVIRONMENT = _text("infra/main.bicepparam", ".github/workflows/deploy.yml")
FENCED = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
COMMANDS = "\n".join(block for language, block in FENCED.findall(PAGE) if language == "bash").replace("\\\n", " ")
NAMES = {" ".join(name.split()) for name in re.findall(r"`([^`]+)`", FENCED.sub("", PAGE))}
SOURCES = _text("upgradectl/*.py", "shared/*.py", "scripts/*.py", "docs/[!d]*.md", "infra/modules/*.bicep")
OUR_WORDS = BICEP + ENVIRONMENT + SOURCES
AZURES = {
    *("Owner", "Transactions", "AppRequests"),
    *("MissingSubscriptionRegistration", "AuthorizationFailed", "roleAssignments/write"),
}
SHELLS = {
    *(
        "az",
        "azd",
        "git",
        "jq",
        "printf",
        "python3.13",
        "read",
        "set",
        "upgradectl",
        ".venv/bin/upgradectl",
        ".venv/bin/python",
    ),
    *("assign", "--append", "--expires", "--purge"),
}
UNASSIGNED = {"name", "value", "SECRET", "where", "@", "1", "2", "3"}  # of loops, of a function, by `read`


def _named(pattern: str) -> set[str]:
    found = {name for name in NAMES if re.fullmatch(pattern, name)}
    assert found, pattern
    return found


def test_a_name_is_one_of_ours_or_of_azures() -> None:
    said = {re.split(r"\.\.\.|: | =", name)[0].strip() for name in NAMES if name.split()[0] not in SHELLS}
    assert not {name for name in said - AZURES if name not in OUR_WORDS and not (REPOSITORY / name).is_file()}


def test_a_name_of_a_kind_stands_where_that_kind_is_declared() -> None:
    settings = {name.upper() for name in get_type_hints(Settings)}
    outputs = set(re.findall(r"^output (\w+) ", BICEP, re.M))
    assert _named(r"[A-Z]+(_[A-Z]+)+|[A-Z]{5,}") <= settings | outputs | set(re.findall(r"'(\w+)'", ENVIRONMENT))
    assert _named(r"[a-z]+([A-Z]\w*)+") - {"onlyIfNotExists"} <= set(re.findall(r"^param (\w+) ", BICEP, re.M))
    assert _named(r"(upgrade|poll|request|row|settings)\.\w+") <= set(
        re.findall(r"`([\w.]+)`", _text("docs/events.md"))
    )
    assigned = set(re.findall(r"\b([A-Z_]+)=", COMMANDS))
    assert set(re.findall(r"\$\{?!?(\w+|@)", COMMANDS)) <= assigned | outputs | UNASSIGNED
    columns = {column for look in re.findall(r"\.\{(.*?)\}'", COMMANDS) for column in re.findall(r": (\w+)", look)}
    assert "untilAt" in columns <= set(re.findall(r"`(\w+)`", _text("docs/tables.md")))


def test_files_and_roles_exist() -> None:
    files = set(re.findall(r"(?<![\w/$:-])(?:[\w.]+/)+[\w-]+\.\w+\b", COMMANDS + "\n".join(NAMES)))
    files |= {f"docs/{page}" for page in re.findall(r"\]\(([\w.]+)\)", PAGE)} - {package.ARCHIVE.as_posix()}
    assert {file for file in files if not (REPOSITORY / file).exists()} <= {package.ARCHIVE.as_posix()}
    assert all(role in ENVIRONMENT for role in re.findall(r'assign "?([A-Z][\w ]+\w)', COMMANDS))
    (pattern,) = re.findall(r"grep -oE '(\S+)' infra/modules/roles.bicep", COMMANDS)
    (definitions,) = re.findall(r"^var roles = \{\n(.*?)^\}", ROLES, re.M | re.S)
    assert [found[0] for found in re.finditer(pattern, ROLES)] == re.findall(r"'(.+)'", definitions)


def test_a_check_of_doctor_has_the_name_that_it_prints() -> None:
    outputs = "\n".join(block for language, block in FENCED.findall(PAGE) if language == "text")
    checks = set(re.findall(r"^(?:ok|failed|not tried)  +(\S.*?)  ", outputs, re.M))
    assert len(checks) > 10
    assert not {check for check in checks if f'"{check}"' not in SOURCES and not check.startswith("table Upgrade")}


@pytest.mark.parametrize(
    "line", sorted(re.findall(r"\bupgradectl ((?:consent|doctor)[^`\n|]*)", COMMANDS + "\n".join(NAMES)))
)
def test_a_command_of_upgradectl_can_be_given(line: str) -> None:
    name, *options = shlex.split(line)
    group: Any = typer.main.get_command(app)
    group.commands[name].make_context(name, options)


def test_the_message_is_one() -> None:
    (script,) = re.findall(r"<<'PYTHON'\n(.*?)^PYTHON$", COMMANDS, re.M | re.S)
    (body,) = [node.value for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Assign)]
    message = Message(json.dumps(ast.literal_eval(body)).encode(), None, 1, NOON)
    assert parse(message, ["Azure"]).request_id == "wave-1/contoso"


class _Counting(InMemoryStore):
    calls = 0

    def _reach(self) -> None:
        self.calls += 1  # each is one transaction


def test_the_numbers_are_those_of_the_code() -> None:
    world = World(store=(store := _Counting()))
    poller = Poller(world.ports, FakeTokens())

    def count() -> int:
        counted, store.calls = store.calls, 0
        return counted

    poller.tick()
    census = count()
    poller.tick()
    idle = count()
    assert census == idle + 1
    lease = claim(world.ports, request())
    assert lease
    submit_claimed(world.ports, lease)
    claimed = count()
    world.clock.advance(60)
    poller.tick()
    polled = count() - idle - 2
    world.clock.advance(120)
    world.partner_center.upgrades[0].status = "Completed"
    poller.tick()
    ended = count() - idle - 2
    assert f"{idle * 43_200 + 4_320:,} | counted: {idle} a tick" in PAGE
    assert f"1,000 x ({claimed + ended - polled} + P)" in PAGE
    delays_s = [backoff.doubling_s(Settings.first_poll_s, Settings.max_poll_s, before) for before in range(12)]
    times = [[at_s * share for at_s in accumulate(delays_s)] for share in (1, 0.5)]
    fewest, most = (1 + sum(at_s < 3600 for at_s in polls) for polls in times)
    assert f"{fewest} to {most} if it takes an hour" in PAGE
