"""The levers of the whole cloud: parts that end and come back, functions that die, and an app of another folder."""

import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.data.tables import TableClient
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient
from azure.servicebus import ServiceBusClient, ServiceBusMessage

from local.cloud import CLIENT_ID, QUEUE, TENANT, Cloud, environment, running
from local.component import REPOSITORY
from local.functions import Function
from shared.upgrade_store import CONTROL

DEADLINE_S = 20
SCOPE = "https://api.partnercenter.microsoft.com/user_impersonation offline_access"
MARKER = "the settings of the app in the other folder"
OTHER_SETTINGS = f"""

def _refuse(environment: object) -> None:
    from shared.errors import InvalidSettings
    raise InvalidSettings(("{MARKER}",))

Settings.from_env = _refuse
"""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    cloud = Cloud(tmp_path_factory.mktemp("cloud"), front=True)
    with running(cloud), environment(cloud.client_environment):
        yield cloud


@pytest.fixture
def start_function(cloud: Cloud) -> Iterator[Callable[[str], Function]]:
    yield cloud.start_function
    cloud.stop_functions()


def _wait_for(condition: Callable[[], object]) -> None:
    ends = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.05)


def _leave_in_queue(cloud: Cloud) -> Callable[[], object]:
    with ServiceBusClient.from_connection_string(cloud.service_bus) as bus, bus.get_queue_sender(QUEUE) as sender:
        sender.send_messages(ServiceBusMessage(b"kept"))

    def take() -> object:
        with (
            ServiceBusClient.from_connection_string(cloud.service_bus) as bus,
            bus.get_queue_receiver(QUEUE) as receiver,
        ):
            (message,) = receiver.receive_messages(1, max_wait_time=DEADLINE_S)
            receiver.complete_message(message)
            return b"".join(message.body) == b"kept"

    return take


def _leave_in_table(cloud: Cloud) -> Callable[[], object]:
    def table() -> TableClient:
        return TableClient(cloud.tables_url, CONTROL, credential=DefaultAzureCredential())

    with table() as client:
        client.upsert_entity({"PartitionKey": "test", "RowKey": "kept"})

    def take() -> object:
        with table() as client:
            client.get_entity("test", "kept")
            client.delete_entity("test", "kept")
            return True

    return take


def _leave_in_partner_center(cloud: Cloud) -> Callable[[], object]:
    cloud.fake("PUT", "switches", {"api_latency_s": 0.125})
    return lambda: cloud.fake("GET", "switches")["api_latency_s"] == 0.125


def _leave_in_vault(cloud: Cloud) -> Callable[[], object]:
    def vault() -> SecretClient:
        return SecretClient(cloud.app_settings["KEY_VAULT_URL"], DefaultAzureCredential())

    with vault() as client:
        client.set_secret("kept", "value")

    def take() -> object:
        with vault() as client:
            return client.get_secret("kept").value == "value"

    return take


def _leave_nothing_with_identity(cloud: Cloud) -> Callable[[], object]:
    def take() -> object:
        with DefaultAzureCredential() as credential:
            return credential.get_token("https://vault.azure.net/.default").token

    return take


@pytest.mark.parametrize(
    ("part", "leave", "sig"),
    [
        ("service_bus", _leave_in_queue, signal.SIGTERM),
        ("service_bus", _leave_in_queue, signal.SIGKILL),
        ("azurite", _leave_in_table, signal.SIGTERM),
        ("partner_center", _leave_in_partner_center, signal.SIGTERM),
        ("partner_center", _leave_in_partner_center, signal.SIGKILL),
        ("key_vault", _leave_in_vault, signal.SIGKILL),
        ("identity", _leave_nothing_with_identity, signal.SIGKILL),
    ],
)
def test_a_part_that_is_restarted_is_where_it_was_with_what_it_held(
    cloud: Cloud, part: str, leave: Callable[[Cloud], Callable[[], object]], sig: signal.Signals
) -> None:
    is_still_there = leave(cloud)
    before = cloud.parts[part]
    cloud.restart(part, sig)
    after = cloud.parts[part]
    assert before.process.returncode == (-sig if sig == signal.SIGKILL else 0)
    assert after.running
    assert {**after.facts, "node_pid": None} == {**before.facts, "node_pid": None}
    assert is_still_there()


def test_a_part_that_is_stopped_refuses_connections_until_it_is_started(cloud: Cloud) -> None:
    cloud.stop_part("partner_center")
    with pytest.raises(requests.ConnectionError):
        requests.get(cloud.partner_center_url, timeout=DEADLINE_S)
    cloud.start_part("partner_center")
    assert requests.get(cloud.partner_center_url, timeout=DEADLINE_S).status_code == 404


def test_the_storage_is_not_killed(cloud: Cloud) -> None:
    with pytest.raises(AssertionError, match="last writes"):
        cloud.restart("azurite", signal.SIGKILL)
    assert cloud.parts["azurite"].running


def test_refresh_tokens_that_were_revoked_stay_revoked_and_new_ones_are_good(cloud: Cloud) -> None:
    def exchange(refresh_token: str) -> tuple[int, Any]:
        form = {
            "grant_type": "refresh_token",
            "client_id": CLIENT_ID,
            "client_secret": cloud.parts["partner_center"].facts["client_secret"],
            "scope": SCOPE,
            "refresh_token": refresh_token,
        }
        url = f"{cloud.app_settings['AUTHORITY_URL']}/{TENANT}/oauth2/v2.0/token"
        answer = requests.post(url, form, timeout=DEADLINE_S)
        document = answer.json()
        return answer.status_code, document.get("error_codes", document.get("refresh_token"))

    consent = cloud.fake("POST", "sign-in", {})["refresh_token"]
    status, renewed = exchange(consent)
    assert status == 200
    cloud.fake("POST", "revoke-refresh-tokens")
    again = cloud.fake("POST", "sign-in", {})["refresh_token"]
    for _ in range(2):
        assert exchange(consent) == (400, [50173])
        assert exchange(renewed) == (400, [50173])
        assert exchange(again)[0] == 200
        cloud.restart("partner_center", signal.SIGKILL)


def test_the_app_reaches_its_tables_through_the_front_and_others_do_not(cloud: Cloud) -> None:
    assert cloud.app_settings["TABLES_URL"] == cloud.front_url != cloud.tables_url
    credential = DefaultAzureCredential()
    with TableClient(cloud.front_url, CONTROL, credential=credential, retry_backoff_factor=0.05) as table:
        cloud.faults("storage_front", [{"name": "busy", "do": "answer", "status": 503, "times": 1}])
        assert list(table.list_entities()) == []  # at the second try
    assert cloud.faults_fired("storage_front")["busy"] == 1
    cloud.faults("storage_front", [])


def test_a_function_is_known_by_its_requests_to_storage_vault_and_identity(
    cloud: Cloud, start_function: Callable[[str], Function]
) -> None:
    parts = ("storage_front", "key_vault", "identity")
    for part in parts:
        cloud.faults(part, [{"name": "anybody", "do": "slow", "delay_s": 0, "agent": r"pid/\d+"}])
    began = time.time()
    function = start_function("PollUpgrade")
    assert began <= function.started_at <= time.time()
    _wait_for(lambda: all(cloud.faults_fired(part).get("anybody") for part in parts))
    for part in parts:
        cloud.faults(part, [{"name": "this one", "do": "slow", "delay_s": 0, "agent": rf"pid/{function.pid}$"}])
    _wait_for(lambda: cloud.faults_fired("storage_front").get("this one"))
    for part in parts:
        cloud.faults(part, [])


def test_a_function_that_is_killed_by_its_request_is_found_dead_and_replaced(
    cloud: Cloud, start_function: Callable[[str], Function]
) -> None:
    first, second = start_function("PollUpgrade"), start_function("PollUpgrade")
    assert cloud.functions == [first, second]
    assert first.pid != second.pid
    rule = {"name": "kill", "do": "kill", "times": 1, "agent": rf"pid/{first.pid}$", "path": r"/UpgradesInFlight\(\)"}
    cloud.faults("storage_front", [{**rule, "when": "after"}])
    _wait_for(lambda: not first.host.running)
    assert first.host.process.returncode == -signal.SIGKILL
    assert cloud.faults_fired("storage_front")["kill"] == 1
    assert cloud.restart_dead_functions() == cloud.deaths == 1
    third, other = cloud.functions
    assert (third.name, third.index, other) == ("PollUpgrade", first.index, second)
    assert third.pid != first.pid
    cloud.end_function(first)  # whoever has taken its place
    assert cloud.functions == [second]
    assert third.host.process.returncode == 0
    assert second.host.running
    logs = {path.name for path in (cloud.folder / "logs").glob("PollUpgrade*.jsonl")}
    assert logs == {f"PollUpgrade-{first.index}.jsonl", f"PollUpgrade-{second.index}.jsonl"}
    cloud.faults("storage_front", [])


def test_the_functions_of_another_folder_import_that_folders_core(
    cloud: Cloud, start_function: Callable[[str], Function], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("shared", "PollUpgrade"):
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "host.json", tmp_path)
    with (tmp_path / "shared" / "settings.py").open("a") as settings:
        settings.write(OTHER_SETTINGS)
    monkeypatch.setattr(cloud, "app", tmp_path)
    start_function("PollUpgrade")
    _wait_for(lambda: any(MARKER in line["Message"] for line in cloud.logs()))
