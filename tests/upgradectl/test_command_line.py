"""What all commands have in common: help, exit codes, errors in one line, colours; through the real entry point."""

import io
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import typer
from azure.core.exceptions import ServiceRequestError
from rich.text import Text
from typer.testing import CliRunner

from local import up
from local.cloud import Cloud
from local.component import REPOSITORY
from shared.errors import AccessDenied, StoreUnavailable, TokenRefused
from tests.upgradectl.conftest import System
from upgradectl.app import COMMANDS, GROUPS, app
from upgradectl.errors import CommandError, ExitCode, explained
from upgradectl.output import Output
from upgradectl.store import AccessRefused
from upgradectl.target import LOCAL_ENVIRONMENT

ALL = COMMANDS | {f"{group} {name}": module for group, (_, found) in GROUPS.items() for name, module in found.items()}
PAGE = (REPOSITORY / "docs" / "upgradectl.md").read_text()


def test_the_local_cloud_needs_nothing_of_the_environment(consented: System) -> None:
    file = consented.folder / LOCAL_ENVIRONMENT
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({**consented.environment, **consented.settings}))
    ended = consented.run_in({"KEY_VAULT_URL": "https://elsewhere.invalid"}, "doctor", "--local", "--json")
    assert ended.code == 0, ended.out + ended.err
    assert ended.document["system"] == "the local cloud"


def test_make_up_names_the_broker_without_a_key() -> None:
    broker = SimpleNamespace(facts={"port": 5672})
    app_settings = {"ServiceBus": "Endpoint=sb://localhost:5672;SharedAccessKey=local", "TABLES_URL": "https://tables"}
    cloud = SimpleNamespace(parts={"service_bus": broker}, app_settings=app_settings)
    environment = up._operators_environment(cast(Cloud, cloud))
    assert environment == {"TABLES_URL": "https://tables", "SERVICE_BUS_NAMESPACE": "localhost:5672"}


def test_make_up_leaves_it_to_its_owner_alone_and_for_as_long_as_it_runs(tmp_path: Path) -> None:
    file = tmp_path / LOCAL_ENVIRONMENT.name
    file.write_text("of a cloud that was killed")
    with up._left_in(tmp_path, {"IDENTITY_HEADER": "a secret"}):
        assert json.loads(file.read_text()) == {"IDENTITY_HEADER": "a secret"}
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not file.exists()


def test_settings_that_are_missing_are_usage(system: System) -> None:
    ended = system.run("consent", "--json", KEY_VAULT_URL="", PARTNER_TENANT_ID="")
    assert (ended.code, ended.out) == (ExitCode.USAGE, "")
    (line,) = ended.err.splitlines()
    assert line.startswith("error: PARTNER_TENANT_ID is missing; KEY_VAULT_URL is missing; give it with --set")


@pytest.mark.parametrize("debug", [False, True])
def test_a_traceback_is_shown_only_where_it_is_asked_for(system: System, debug: bool) -> None:
    ended = system.run("consent", *(["--debug"] if debug else []), KEY_VAULT_URL="https://127.0.0.1:9")
    assert ended.code == ExitCode.FAILED
    assert ("Traceback" in ended.err) is debug
    assert ended.err.splitlines()[-1].startswith("error: no answer: ")


def test_a_secret_that_is_not_given_is_usage(system: System) -> None:
    ended = system.run("consent", "--set-secret", stdin="\n")
    assert (ended.code, ended.err) == (ExitCode.USAGE, "error: no client secret was given\n")


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({}, "FAILED\nfailed\n"),
        ({"FORCE_COLOR": "1"}, "\x1b[1mFAILED\x1b[0m\n\x1b[31mfailed\x1b[0m\n"),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, "\x1b[1mFAILED\x1b[0m\nfailed\n"),
    ],
)
def test_colours_appear_where_they_can_be_seen_alone(
    environment: dict[str, str],
    shown: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name in ("FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    Output().table(["failed"], [[Text("failed", "red")]])
    assert capsys.readouterr().out == shown


@pytest.mark.parametrize("name", ALL)
def test_the_page_of_the_command_line_has_every_command(name: str) -> None:
    assert f"`{name}" in PAGE


def test_the_page_names_no_option_that_is_not_there() -> None:
    parameters = (parameter for command in _commands(typer.main.get_command(app)) for parameter in command.params)
    options = {option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE))
    assert named - options == {"--editable", "--help"}  # pip's; of all programs


def _commands(command: Any) -> Iterator[Any]:
    yield command
    for inner in getattr(command, "commands", {}).values():
        yield from _commands(inner)


@pytest.mark.parametrize(
    ("typed", "offered"), [("upgradectl dead-", "dead-letters"), ("upgradectl submit --dry", "--dry-run")]
)
def test_a_shell_completes_commands_and_options(typed: str, offered: str) -> None:
    asked = {"_UPGRADECTL_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    command = [sys.executable, "-m", "upgradectl"]
    ended = subprocess.run(
        command, env={**os.environ, **asked}, capture_output=True, text=True, timeout=30, check=False
    )
    assert offered in ended.stdout.split()


@pytest.mark.parametrize("name", ALL)
def test_the_help_has_examples_and_exit_codes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    ended = CliRunner().invoke(app, [*name.split(), "--help"])
    assert ended.exit_code == 0
    for example in ALL[name].EXAMPLES:
        assert f"upgradectl {example}" in ended.output
    assert "0 ok; 1 an answer, and it is bad news; 2 wrong options or settings; 3 could not be done" in ended.output
    assert all(option in ended.output for option in ("--local", "--azd-env", "--set", "--json", "--debug"))


@pytest.mark.parametrize("arguments", [["nonsense"], ["doctor", "--nonsense"], ["consent", "--port", "70000"], []])
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (CommandError("this", "do that"), "this; do that"),
        (TokenRefused("", code="invalid_certificate"), "the certificate in Key Vault is invalid_certificate; import"),
        (StoreUnavailable("Table Storage answers 500"), "Table Storage answers 500; see TABLES_URL"),
        (StoreUnavailable("no answer in 4030 ms"), "no answer in 4030 ms; see TABLES_URL"),
        (AccessRefused("Table Storage answers 403"), "Table Storage answers 403; grant yourself Storage Table Data"),
        (AccessDenied("text", code="2032", http_status=403), "Partner Center refuses the app's sign-in (2032); see"),
        (ServiceRequestError("no route\nto host"), "no answer: no route; check the address"),
        (KeyError("x"), "unexpected KeyError: 'x'; --debug shows where"),
        (ValueError(), "unexpected ValueError: ValueError; --debug"),
    ],
)
def test_every_error_becomes_one_line(error: Exception, line: str) -> None:
    assert explained(error).line.startswith(line)
    assert "\n" not in explained(error).line


def test_a_table_has_columns_as_wide_as_they_need_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    Output().table(("state", "what"), [("ok", "short"), (Text("failed", "red"), "[bold]a long one[/] " * 12)])
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["STATE   WHAT", "ok      short", "failed  " + "[bold]a long one[/] " * 12]


def test_instants_in_json_are_iso_8601(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True).json({"at": datetime(2026, 3, 1, 12, tzinfo=UTC), "text": "[red]x"})
    assert json.loads(capsys.readouterr().out) == {"at": "2026-03-01T12:00:00Z", "text": "[red]x"}


@pytest.mark.parametrize(("answer", "code"), [("n", ExitCode.FAILED), ("", ExitCode.FAILED), ("y", None)])
def test_a_question_says_the_system_and_no_is_no_wrong_option(
    answer: str, code: ExitCode | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = Output()
    output.system = "a test (tables st.example)"
    stdin = io.StringIO(f"{answer}\n")
    monkeypatch.setattr(stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", stdin)
    with pytest.raises(CommandError, match=r"^nothing was done$") if code else nullcontext() as caught:
        output.confirm("Send it?", yes=False)
    assert not caught or caught.value.code is code
    assert capsys.readouterr().err == "System: a test (tables st.example)\nSend it? [y/N] "


READ_IN_PART = """
from upgradectl.output import Output
output = Output()
for _ in range(100):
    output.{shown}("x" * 10_000)
output.line("the end")
"""


@pytest.mark.parametrize(("shown", "stream", "rest"), [("line", "stdout", ""), ("note", "stderr", "the end\n")])
def test_a_reader_that_has_seen_enough_ends_it_with_0_and_in_silence(shown: str, stream: str, rest: str) -> None:
    """One that read results ends the command; one of notes does not, for it may be in the middle of a change."""
    command = [sys.executable, "-c", READ_IN_PART.format(shown=shown)]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        read, other = ("stdout", "stderr") if stream == "stdout" else ("stderr", "stdout")
        getattr(process, read).readline()
        getattr(process, read).close()
        assert (process.wait(20), getattr(process, other).read()) == (0, rest)
