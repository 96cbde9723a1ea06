"""Which system a command is for."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from shared.errors import InvalidSettings
from upgradectl.errors import CommandError, ExitCode
from upgradectl.target import LOCAL_ENVIRONMENT, Target, find_target

GUID = "11111111-1111-4111-8111-111111111111"
AZD = """# by azd
KEY_VAULT_URL="https://azd.vault"
TABLES_URL="https://tables"

ODD="a \\"b\\" \\\\ c\\nd"
BARE=x # why
"""


def azd(folder: Path, name: str, *, default: str | None = None, content: str = AZD) -> None:
    (folder / ".azure" / name).mkdir(parents=True)
    (folder / ".azure" / name / ".env").write_text(content)
    if default:
        (folder / ".azure" / "config.json").write_text(json.dumps({"version": 1, "defaultEnvironment": default}))


def find(folder: Path, *overrides: str, local: bool = False, azd_env: str | None = None, **environment: str) -> Target:
    return find_target(local=local, azd_env=azd_env, overrides=overrides, environment=environment, folder=folder)


def _find_in(folder: Path, environment: Mapping[str, str]) -> Target:
    return find_target(local=False, azd_env=None, overrides=(), environment=environment, folder=folder)


def test_the_environment_alone(tmp_path: Path) -> None:
    target = find(tmp_path, KEY_VAULT_URL="https://mine")
    assert (target.values["KEY_VAULT_URL"], target.source) == ("https://mine", "the environment")


def test_azds_default_environment_lies_under_ones_own(tmp_path: Path) -> None:
    azd(tmp_path, "dev", default="dev")
    below = tmp_path / "docs" / "deep"
    below.mkdir(parents=True)
    target = find(below, KEY_VAULT_URL="https://mine")
    assert target.values["KEY_VAULT_URL"] == "https://mine"
    assert target.values["TABLES_URL"] == "https://tables"
    assert target.source == "the environment and the azd environment dev"


@pytest.mark.parametrize("name", ["TABLES_URL", "SERVICE_BUS_NAMESPACE", "UPGRADE_QUEUE"])
def test_an_environment_that_names_a_system_is_not_mixed_with_another(tmp_path: Path, name: str) -> None:
    azd(tmp_path, "dev", default="dev")
    target = _find_in(tmp_path, {name: "mine"})
    assert (target.values, target.source) == ({name: "mine"}, "the environment")
    assert _find_in(tmp_path, {name: " "}).source == "the environment and the azd environment dev"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "a test"),
        ({"UPGRADE_QUEUE": "upgrades"}, "a test"),
        ({"TABLES_URL": "https://st.table.example/"}, "a test (tables st.table.example)"),
        ({"SERVICE_BUS_NAMESPACE": "sb.example", "UPGRADE_QUEUE": "upgrades"}, "a test (queue sb.example/upgrades)"),
        (
            {"TABLES_URL": "nonsense", "SERVICE_BUS_NAMESPACE": "sb.example", "UPGRADE_QUEUE": "upgrades"},
            "a test (tables nonsense, queue sb.example/upgrades)",
        ),
    ],
)
def test_a_system_in_words_names_its_hosts(values: dict[str, str], words: str) -> None:
    assert Target(values, "a test").words == words


def test_an_azd_environment_that_is_named_is_the_whole_truth(tmp_path: Path) -> None:
    azd(tmp_path, "dev", default="dev")
    azd(tmp_path, "prod", content='KEY_VAULT_URL="https://prod.vault"\n')
    target = find(tmp_path, azd_env="prod", KEY_VAULT_URL="https://mine", TABLES_URL="https://mine")
    assert target.values == {"KEY_VAULT_URL": "https://prod.vault"}


def test_an_option_goes_before_everything(tmp_path: Path) -> None:
    azd(tmp_path, "dev", default="dev")
    target = find(tmp_path, "KEY_VAULT_URL=https://a=b", azd_env="dev")
    assert target.values["KEY_VAULT_URL"] == "https://a=b"


def test_azds_file_is_read_as_azd_writes_it(tmp_path: Path) -> None:
    azd(tmp_path, "dev")
    values = find(tmp_path, azd_env="dev").values
    assert values["ODD"] == 'a "b" \\ c\nd'
    assert values["BARE"] == "x"


@pytest.mark.parametrize("config", ["", "[]", '{"defaultEnvironment": "gone"}', '{"defaultEnvironment": 1}'])
def test_a_default_that_makes_no_sense_is_none(tmp_path: Path, config: str) -> None:
    azd(tmp_path, "dev")
    (tmp_path / ".azure" / "config.json").write_text(config)
    assert find(tmp_path).source == "the environment"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"local": True}, "no local cloud is running here; start it with `make up`"),
        ({"azd_env": "prod"}, "there is no azd environment prod here"),
    ],
)
def test_a_system_that_is_not_there(tmp_path: Path, options: dict[str, object], said: str) -> None:
    with pytest.raises(CommandError) as error:
        find(tmp_path, **options)  # type: ignore[arg-type]  # one of two
    assert said in error.value.line
    assert error.value.code is ExitCode.USAGE


def test_an_option_that_is_no_setting_shows_no_value(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"^--set lower: not NAME=VALUE$"):
        find(tmp_path, "lower=secret")


def test_the_local_cloud_is_a_whole_environment(tmp_path: Path) -> None:
    (tmp_path / LOCAL_ENVIRONMENT).parent.mkdir(parents=True)
    (tmp_path / LOCAL_ENVIRONMENT).write_text(json.dumps({"TABLES_URL": "https://local"}))
    target = find(tmp_path, "LEASE_S=9", local=True, TABLES_URL="https://mine")
    assert target == Target({"TABLES_URL": "https://local", "LEASE_S": "9"}, "the local cloud", is_local=True)


def test_a_command_needs_only_some_of_the_settings() -> None:
    target = Target({"KEY_VAULT_URL": "https://vault", "TABLES_URL": " "}, "a test")
    assert target.require(["KEY_VAULT_URL"]).key_vault_url == "https://vault"
    with pytest.raises(InvalidSettings) as error:
        target.require(["KEY_VAULT_URL", "TABLES_URL", "PARTNER_TENANT_ID"])
    assert error.value.problems == ("TABLES_URL is missing", "PARTNER_TENANT_ID is missing")


def test_what_is_wrong_is_named_with_what_is_missing() -> None:
    with pytest.raises(InvalidSettings) as error:
        Target({"LEASE_S": "often", "PARTNER_TENANT_ID": GUID}, "a test").require(["TABLES_URL"])
    assert [problem.split()[0] for problem in error.value.problems] == ["TABLES_URL", "LEASE_S"]
