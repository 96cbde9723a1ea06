"""The compiler accepts the templates without a word, and refuses parameters that would only fail in the cloud."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.infra import compiler
from tests.infra.combinations import INFRA

_AZD = {
    "AZURE_ENV_NAME": "test",
    "PARTNER_TENANT_ID": "5b1f3c52-6b0a-4c43-9d2e-0d8a4a3f7c11",
    "PARTNER_CLIENT_ID": "e0a1d3b4-7c65-4f08-8f5d-2b9c6a1e4d22",
}
_TEMPLATES = sorted(INFRA.rglob("*.bicep"))


@pytest.mark.parametrize("template", _TEMPLATES, ids=lambda template: template.name)
def test_the_linter_has_not_a_word_to_say(template: Path) -> None:
    linted = compiler.lint(template)
    assert linted.silent, linted.errors


def test_a_linter_rule_that_is_broken_is_an_error(tmp_path: Path) -> None:
    infra = shutil.copytree(INFRA, tmp_path / "infra")
    with (infra / "main.bicep").open("a") as main:
        main.write("\nvar unused = 1\n")
    assert ": Error no-unused-vars:" in compiler.lint(infra / "main.bicep").errors


def test_the_parameters_come_from_azds_environment() -> None:
    people = '[{"principalId": "some-group", "principalType": "Group"}]'
    compiled = compiler.build_params(
        INFRA / "main.bicepparam", {**_AZD, "OPERATORS": people, "ALERT_EMAILS": '["one@example.com"]'}
    )
    assert compiled.silent, compiled.errors
    parameters = json.loads(compiled.document["parametersJson"])["parameters"]
    assert parameters["environmentName"]["value"] == "test"
    assert parameters["operators"]["value"] == json.loads(people)
    assert parameters["alertEmails"]["value"] == ["one@example.com"]
    assert parameters["runbookUrl"]["value"] == "docs/operations.md"
    assert parameters["grantServiceBusDataOwner"]["value"] is False


def test_a_parameter_that_azd_does_not_know_is_named() -> None:
    compiled = compiler.build_params(INFRA / "main.bicepparam", {**_AZD, "PARTNER_TENANT_ID": None})
    assert compiled.returncode != 0
    assert "PARTNER_TENANT_ID" in compiled.errors


@pytest.mark.parametrize("setting", ["LEASE_SECONDS", "KEY_VAULT_URL", "FUNCTIONS_WORKER_RUNTIME"])
def test_only_optional_settings_can_be_given_by_hand(setting: str, tmp_path: Path) -> None:
    file = shutil.copytree(INFRA, tmp_path / "infra") / "main.bicepparam"
    file.write_text(file.read_text().replace("appSettings = {}", f"appSettings = {{ {setting}: '1' }}"))
    assert setting in compiler.build_params(file, _AZD).errors


def test_no_compiled_template_is_kept() -> None:
    assert not [file.name for file in INFRA.rglob("*.json") if "deploymentTemplate.json#" in file.read_text()]


@pytest.mark.parametrize(
    ("script", "ci", "says"),
    [
        ("echo 'Bicep CLI version 0.37.4 (abcdef0123)'", "", "Bicep 0.37.4 is too old, 0.38.0 or later is needed"),
        ("exit 1", "true", "does not tell its version"),
    ],
)
def test_without_a_compiler_nothing_is_collected_and_in_ci_that_is_an_error(
    script: str, ci: str, says: str, tmp_path: Path
) -> None:
    (tmp_path / "bicep").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "bicep").chmod(0o755)
    run = _collect(BICEP=str(tmp_path / "bicep"), CI=ci)
    assert says in run.stdout + run.stderr
    assert (run.returncode == pytest.ExitCode.NO_TESTS_COLLECTED) is (not ci)
    assert run.returncode != pytest.ExitCode.OK


def _collect(**env: str) -> "subprocess.CompletedProcess[str]":
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}  # not xdist's worker
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-p", "no:xdist", "tests/infra"],
        cwd=INFRA.parent,
        env={**own, **env},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
