from dataclasses import dataclass
from pathlib import Path

import pytest

from local.vault import Properties, Vault, VaultError


@dataclass
class Clock:
    now: float = 1_700_000_000.9

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vault(clock: Clock) -> Vault:
    return Vault(clock=clock)


def test_the_latest_version_is_the_one_set_last(vault: Vault) -> None:
    first, second = vault.set("token", "one"), vault.set("token", "two")
    assert vault.get("token") == second
    assert vault.get("token", first.version) == first
    assert first.version != second.version
    assert all(len(each.version) == 32 and int(each.version, 16) for each in (first, second))


def test_times_are_whole_seconds(vault: Vault, clock: Clock) -> None:
    secret = vault.set("token", "one")
    clock.now += 0.05
    assert (secret.created, vault.set("token", "two").created) == (1_700_000_000, 1_700_000_000)
    clock.now += 0.1
    assert vault.set("token", "three").created == 1_700_000_001


def test_a_new_version_takes_nothing_over(vault: Vault) -> None:
    vault.set("token", "one", Properties(tags={"written-by": "app"}, content_type="text/plain", expires=1_800_000_000))
    second = vault.set("token", "two")
    assert (second.tags, second.content_type, second.expires, second.enabled) == ({}, None, None, True)


def test_an_update_changes_what_is_given_and_leaves_the_rest(vault: Vault, clock: Clock) -> None:
    old = vault.set("token", "one", Properties(tags={"a": "1", "b": "2"}, content_type="text/plain"))
    clock.now += 10
    new = vault.update("token", None, Properties(tags={"c": "3"}))
    assert vault.get("token") == new
    assert (new.version, new.value, new.content_type, new.created) == (old.version, "one", "text/plain", old.created)
    assert (new.tags, new.updated) == ({"c": "3"}, old.updated + 10)


def test_an_update_reaches_the_version_that_it_names(vault: Vault) -> None:
    first, second = vault.set("token", "one"), vault.set("token", "two")
    vault.update("token", first.version, Properties(tags={"old": "yes"}))
    assert vault.get("token", first.version).tags == {"old": "yes"}
    assert vault.get("token") == second


def test_a_disabled_secret_is_refused_until_it_is_enabled_again(vault: Vault) -> None:
    vault.set("token", "one")
    vault.update("token", None, Properties(enabled=False))
    with pytest.raises(VaultError) as refused:
        vault.get("token")
    assert (refused.value.status, refused.value.code, refused.value.inner_code) == (403, "Forbidden", "SecretDisabled")
    vault.update("token", None, Properties(enabled=True))
    assert vault.get("token").value == "one"


def test_an_expired_secret_can_still_be_read(vault: Vault, clock: Clock) -> None:
    vault.set("token", "one", Properties(expires=int(clock.now) - 1))
    assert vault.get("token").value == "one"


@pytest.mark.parametrize("version", [None, "0" * 32])
def test_what_is_not_there_is_not_found(vault: Vault, version: str | None) -> None:
    if version:
        vault.set("token", "one")
    with pytest.raises(VaultError) as get:
        vault.get("token", version)
    with pytest.raises(VaultError) as update:
        vault.update("token", version, Properties())
    for refused in (get.value, update.value):
        assert (refused.status, refused.code) == (404, "SecretNotFound")


def test_a_value_may_have_25_kib_and_no_more(vault: Vault) -> None:
    vault.set("token", "é" * 12_800)
    with pytest.raises(VaultError) as refused:
        vault.set("token", "é" * 12_800 + "x")
    assert (refused.value.status, refused.value.code) == (400, "BadParameter")


def test_versions_come_in_no_order_of_time(vault: Vault) -> None:
    versions = [vault.set("token", str(each)).version for each in range(20)]
    listed = [each.version for each in vault.list_versions("token")]
    assert listed == sorted(versions)
    assert vault.list_versions("unknown") == []


def test_the_list_of_secrets_has_the_latest_version_of_each(vault: Vault) -> None:
    vault.set("b", "old")
    new, other = vault.set("b", "new"), vault.set("a", "other")
    assert vault.list_latest() == [("a", other), ("b", new)]


def test_a_vault_with_a_state_file_survives_a_restart(tmp_path: Path, clock: Clock) -> None:
    state = tmp_path / "new" / "vault.json"
    vault = Vault(clock=clock, state=state)
    first = vault.set("token", "one", Properties(tags={"a": "1"}, expires=1_800_000_000))
    vault.set("token", "two")
    vault.update("token", first.version, Properties(enabled=False))
    restarted = Vault(clock=clock, state=state)
    assert restarted.list_versions("token") == vault.list_versions("token")
    assert restarted.get("token").value == "two"
