"""The app settings: every one of the table, its default, its bounds, and what contradicts what."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pytest

from shared.errors import InvalidSettings
from shared.settings import Settings

REQUIRED = {
    "PARTNER_TENANT_ID": "11111111-1111-4111-8111-111111111111",
    "PARTNER_CLIENT_ID": "22222222-2222-4222-8222-22222222222A",
    "KEY_VAULT_URL": "https://vault.example",
    "TABLES_URL": "https://account.table.example",
    "UPGRADE_QUEUE": "upgrade-requests",
    "POLL_SCHEDULE": "0 * * * * *",
}
PLATFORM = {"UPGRADE_QUEUE", "POLL_SCHEDULE"}  # read by the platform; only their presence is checked
SECONDS = {
    "CONNECT_TIMEOUT_S": 5.0,
    "READ_TIMEOUT_S": 30.0,
    "CALL_DEADLINE_S": 60.0,
    "LEASE_S": 180.0,
    "TICK_BUDGET_S": 240.0,
    "FIRST_POLL_S": 60.0,
    "MAX_POLL_S": 1800.0,
    "UPGRADE_DEADLINE_H": 72.0,
    "NOT_FOUND_GRACE_S": 900.0,
    "RETRY_FIRST_S": 30.0,
    "RETRY_MAX_S": 3600.0,
    "RETRY_AFTER_MAX_S": 3600.0,
    "REFUSAL_FIRST_S": 3600.0,
    "REFUSAL_MAX_S": 86400.0,
    "REFUSAL_DEADLINE_D": 35.0,
    "GATE_CACHE_S": 5.0,
    "AZURE_CALL_DEADLINE_S": 15.0,
    "STORAGE_HOLD_S": 200.0,
    "CENSUS_S": 600.0,
    "TOKEN_RENEW_H": 24.0,
}
COUNTS = {"MAX_PARALLEL_CALLS": 16, "REFUSALS_MAX": 10}
DEFAULTS: dict[str, Any] = {
    "CLIENT_SECRET_NAME": "partner-center-client-secret",
    "CLIENT_CERTIFICATE_NAME": None,
    "REFRESH_TOKEN_SECRET_NAME": "partner-center-refresh-token",
    "PARTNER_CENTER_URL": "https://api.partnercenter.microsoft.com",
    "AUTHORITY_URL": "https://login.microsoftonline.com",
    "PRODUCT_FAMILIES": ("Azure",),
    **SECONDS,
    **COUNTS,
}


class Recorded(dict[str, str]):
    """An environment that knows who was asked for."""

    def __init__(self, env: Mapping[str, str]) -> None:
        super().__init__(env)
        self.read: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.read.add(name)
        return super().get(name, default)


def problems(**changed: str | None) -> list[str]:
    env = {name: value for name, value in (REQUIRED | changed).items() if value is not None}
    with pytest.raises(InvalidSettings) as invalid:
        Settings.from_env(env)
    return list(invalid.value.problems)


def valid(**changed: str) -> Settings:
    return Settings.from_env(REQUIRED | changed)


def test_every_setting_of_the_table_is_read_and_no_other() -> None:
    env = Recorded(REQUIRED)
    Settings.from_env(env)
    assert env.read == {*REQUIRED, *DEFAULTS}


def test_every_field_is_a_setting() -> None:
    assert {field.name.upper() for field in fields(Settings)} == {*REQUIRED, *DEFAULTS} - PLATFORM


def test_defaults_are_those_of_the_table() -> None:
    settings = valid()
    assert {name: getattr(settings, name.lower()) for name in DEFAULTS} == DEFAULTS


def test_required_settings_are_taken_as_they_are() -> None:
    settings = valid()
    names = REQUIRED.keys() - PLATFORM
    assert {name: getattr(settings, name.lower()) for name in names} == {name: REQUIRED[name] for name in names}


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("value", [None, "", " "])
def test_a_required_setting_may_not_be_missing_or_blank(name: str, value: str | None) -> None:
    assert problems(**{name: value}) == [f"{name} is missing"]


@pytest.mark.parametrize("name", DEFAULTS)
def test_an_optional_setting_that_is_blank_has_its_default(name: str) -> None:
    assert getattr(valid(**{name: " "}), name.lower()) == DEFAULTS[name]


def test_all_problems_are_named_at_once() -> None:
    env = dict.fromkeys(SECONDS, "soon") | {"TABLES_URL": "http://tables", "PARTNER_TENANT_ID": "contoso"}
    with pytest.raises(InvalidSettings) as invalid:
        Settings.from_env(env)
    named = {problem.split()[0] for problem in invalid.value.problems}
    assert named == {*SECONDS, *REQUIRED}
    assert len(invalid.value.problems) == len(named)
    assert all(problem in str(invalid.value) for problem in invalid.value.problems)


def test_a_problem_never_quotes_a_value() -> None:
    named = {"KEY_VAULT_URL": "https://me:hunter2@vault", "PARTNER_CLIENT_ID": "hunter2", "LEASE_S": "hunter2"}
    assert "hunter2" not in " ".join(problems(**named))


# Numbers


@pytest.mark.parametrize("name", SECONDS)
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "-inf", "1e999", "soon", "5s", "1,5", "0x10", "1000001"])
def test_a_duration_is_a_number_above_zero_that_no_calendar_minds(name: str, value: str) -> None:
    assert problems(**{name: value}) == [f"{name} must be a number above 0, at most 1,000,000"]


@pytest.mark.parametrize("name", SECONDS)
def test_a_duration_may_be_a_fraction(name: str) -> None:
    widest = {"MAX_POLL_S": "1e6", "RETRY_MAX_S": "1e6", "REFUSAL_MAX_S": "1e6", "CALL_DEADLINE_S": "0.01"}
    narrowest = {"FIRST_POLL_S": "0.01", "RETRY_FIRST_S": "0.01", "REFUSAL_FIRST_S": "0.01"}
    assert getattr(valid(**(widest | narrowest | {name: " 0.25 "})), name.lower()) == 0.25


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("value", ["0", "0.5", "-1", "nan", "inf", "many", "1000001"])
def test_a_count_is_at_least_one(name: str, value: str) -> None:
    assert problems(**{name: value}) == [f"{name} must be a number of at least 1, at most 1,000,000"]


@pytest.mark.parametrize("name", COUNTS)
def test_a_count_is_a_whole_number(name: str) -> None:
    assert problems(**{name: "1.5"}) == [f"{name} must be a whole number"]
    assert getattr(valid(**{name: "1"}), name.lower()) == 1


# Contradictions


@pytest.mark.parametrize(
    ("at_the_limit", "beyond", "problem"),
    [
        (
            {"LEASE_S": "120", "CALL_DEADLINE_S": "60"},
            {"LEASE_S": "119.9", "CALL_DEADLINE_S": "60"},
            "LEASE_S must be at least twice CALL_DEADLINE_S",
        ),
        (
            {"TICK_BUDGET_S": "420", "LEASE_S": "180"},
            {"TICK_BUDGET_S": "420.1", "LEASE_S": "180"},
            "TICK_BUDGET_S must be below the function timeout (600 s) by at least LEASE_S",
        ),
        (
            {"STORAGE_HOLD_S": "284.9", "AZURE_CALL_DEADLINE_S": "15"},
            {"STORAGE_HOLD_S": "285", "AZURE_CALL_DEADLINE_S": "15"},
            "STORAGE_HOLD_S and AZURE_CALL_DEADLINE_S together must be below the lock renewal (300 s)",
        ),
        (
            {"FIRST_POLL_S": "9", "MAX_POLL_S": "9"},
            {"FIRST_POLL_S": "9.1", "MAX_POLL_S": "9"},
            "FIRST_POLL_S must not exceed MAX_POLL_S",
        ),
        (
            {"RETRY_FIRST_S": "9", "RETRY_MAX_S": "9"},
            {"RETRY_FIRST_S": "9.1", "RETRY_MAX_S": "9"},
            "RETRY_FIRST_S must not exceed RETRY_MAX_S",
        ),
        (
            {"REFUSAL_FIRST_S": "9", "REFUSAL_MAX_S": "9"},
            {"REFUSAL_FIRST_S": "9.1", "REFUSAL_MAX_S": "9"},
            "REFUSAL_FIRST_S must not exceed REFUSAL_MAX_S",
        ),
    ],
)
def test_settings_may_not_contradict_each_other(
    at_the_limit: dict[str, str], beyond: dict[str, str], problem: str
) -> None:
    valid(**at_the_limit)
    assert problems(**beyond) == [problem]


def test_all_contradictions_are_named_at_once() -> None:
    assert len(problems(LEASE_S="1", TICK_BUDGET_S="600", STORAGE_HOLD_S="300", FIRST_POLL_S="1801")) == 4


# URLs

URLS = ["KEY_VAULT_URL", "TABLES_URL", "PARTNER_CENTER_URL", "AUTHORITY_URL"]
ON_LOOPBACK = ["TABLES_URL", "PARTNER_CENTER_URL"]


@pytest.mark.parametrize("name", URLS)
@pytest.mark.parametrize(
    "value",
    [
        "http://example.com",
        "http://127.0.0.1.example.com",
        "http://10.0.0.1:8080",
        "ftp://example.com",
        "example.com",
        "//example.com",
        "https://",
        "https:example.com",
        "https:///path",
        "https://me@example.com",
        "https://me:secret@example.com",
        "https://example.com?a=b",
        "https://example.com/#x",
        "https://[::1",
        "https://example.com:http",
        "https://example.com:99999",
        "https://exa mple.com",
    ],
)
def test_a_url_is_https_without_user_query_or_fragment(name: str, value: str) -> None:
    (problem,) = problems(**{name: value})
    assert problem.startswith(f"{name} must be an https URL")


@pytest.mark.parametrize("name", URLS)
@pytest.mark.parametrize("value", ["https://example.com", "https://127.0.0.1:8443", "https://example.com/account"])
def test_an_https_url_is_accepted_and_loses_a_trailing_slash(name: str, value: str) -> None:
    for given in (value, f"{value}/", f" {value} "):
        assert getattr(valid(**{name: given}), name.lower()) == value


@pytest.mark.parametrize("value", ["http://127.0.0.1:10002/account", "http://localhost:8080", "http://[::1]:8080"])
@pytest.mark.parametrize("name", URLS)
def test_plain_http_is_for_loopback_and_for_storage_and_the_api_alone(name: str, value: str) -> None:
    if name in ON_LOOPBACK:
        assert getattr(valid(**{name: value}), name.lower()) == value
    else:
        assert len(problems(**{name: value})) == 1


@pytest.mark.parametrize(
    ("url", "resource"),
    [
        ("https://api.partnercenter.microsoft.com", "https://api.partnercenter.microsoft.com"),
        ("https://partner.partnercenterapi.microsoftonline.cn/", "https://partner.partnercenterapi.microsoftonline.cn"),
        ("http://127.0.0.1:8080", "https://api.partnercenter.microsoft.com"),
        ("https://localhost:8080", "https://api.partnercenter.microsoft.com"),
    ],
)
def test_a_token_is_asked_for_the_clouds_api_and_on_loopback_for_the_global_one(url: str, resource: str) -> None:
    assert valid(PARTNER_CENTER_URL=url).partner_center_resource == resource


# Names


@pytest.mark.parametrize("name", ["PARTNER_TENANT_ID", "PARTNER_CLIENT_ID"])
@pytest.mark.parametrize("value", ["contoso.example", "{11111111-1111-4111-8111-111111111111}", "1" * 32])
def test_tenant_and_client_are_guids(name: str, value: str) -> None:
    assert problems(**{name: value}) == [f"{name} has the wrong form"]


@pytest.mark.parametrize("name", ["CLIENT_SECRET_NAME", "CLIENT_CERTIFICATE_NAME", "REFRESH_TOKEN_SECRET_NAME"])
@pytest.mark.parametrize("value", ["a b", "a/b", "a_b", "ä", "x" * 128])
def test_a_secrets_name_is_one_that_key_vault_takes(name: str, value: str) -> None:
    assert problems(**{name: value}) == [f"{name} has the wrong form"]
    assert getattr(valid(**{name: "My-Secret-1"}), name.lower()) == "My-Secret-1"


def test_product_families_are_a_comma_separated_list() -> None:
    assert valid(PRODUCT_FAMILIES=" Azure , Azure plan,M365 ").product_families == ("Azure", "Azure plan", "M365")


@pytest.mark.parametrize("value", [",", "Azure,", "Azure,,Office", "Az|ure", "Az~ure", "Azüre", "-", "x" * 65])
def test_a_product_family_must_be_able_to_be_part_of_a_key(value: str) -> None:
    assert problems(PRODUCT_FAMILIES=value)[0] == "PRODUCT_FAMILIES must be a comma-separated list of product families"


def test_a_product_family_is_named_once() -> None:
    assert problems(PRODUCT_FAMILIES="Azure,azure") == ["PRODUCT_FAMILIES names a product family twice"]
