"""Step 7 through the platform's worker and the broker: what lasts burns no deliveries.

Two deliveries of a hold each here; thirty of 200 s in the cloud, so an outage of 100 minutes loses nothing.
"""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusSubQueue

from local.cloud import CLIENT_ID, DELAYS, TENANT
from local.component import REPOSITORY, Component, start
from local.tls import Tls

HOLD_S = 1.5
DELIVERIES = 2
NOBODY = "https://127.0.0.1:9"
BROKEN = {
    "storage is out": {"TABLES_URL": f"{NOBODY}/devstoreaccount1"},
    "the identity endpoint is out": {"IDENTITY_ENDPOINT": "http://127.0.0.1:9/msi/token"},
    "settings are wrong": {"LEASE_S": "many"},
    "an import fails": {"PYTHONSAFEPATH": "1"},
}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Component]:
    """A queue for each kind of trouble, so that they are tried at the same time."""
    folder = tmp_path_factory.mktemp("broker")
    queue = {"lock_s": 10, "max_delivery_count": DELIVERIES}
    queues = folder / "queues.json"
    queues.write_text(json.dumps({str(number): queue for number in range(len(BROKEN))}))
    component = start("local.service_bus", "--queues", str(queues), log=folder / "broker.log")
    yield component
    assert component.stop() == 0


@pytest.fixture
def environment(broker: Component, identity: Component, azurite: Component, tls: Tls, tmp_path: Path) -> dict[str, str]:
    """Of a healthy app, but for the hold. The broken package comes first only where a safe path is asked for."""
    broken = tmp_path / "broken" / "shared"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('an import fails')")
    return {
        "PARTNER_TENANT_ID": TENANT,
        "PARTNER_CLIENT_ID": CLIENT_ID,
        "KEY_VAULT_URL": NOBODY,
        "TABLES_URL": str(azurite.facts["url"]),
        "PARTNER_CENTER_URL": NOBODY,
        "ServiceBus": str(broker.facts["connection_string"]),
        **DELAYS,
        **tls.environment,
        **identity.facts["environment"],
        "STORAGE_HOLD_S": str(HOLD_S),
        "AZURE_CALL_DEADLINE_S": "0.3",
        "BROKEN_PATH": f"{broken.parent}:{REPOSITORY}",
    }


def _drain(host: Component) -> None:
    assert host.process.stdout
    for _ in host.process.stdout:
        pass


@pytest.mark.parametrize(("number", "trouble"), list(enumerate(BROKEN)), ids=list(BROKEN))
def test_no_message_is_dead_lettered_before_all_of_its_deliveries_were_held(
    number: int, trouble: str, broker: Component, environment: dict[str, str], tmp_path: Path
) -> None:
    env = {**environment, "UPGRADE_QUEUE": str(number), **BROKEN[trouble]}
    if "PYTHONSAFEPATH" in env:
        env["PYTHONPATH"] = env["BROKEN_PATH"]
    body = json.dumps({"customerId": str(uuid4()), "productFamily": "Azure"}).encode()
    arguments = ("--app", str(REPOSITORY), "--function", "CreateUpgrade", "--drain-s", "0.1")
    host = start("local.functions_host", *arguments, log=tmp_path / "host.log", env=env)
    threading.Thread(target=_drain, args=(host,), daemon=True).start()
    with ServiceBusClient.from_connection_string(str(broker.facts["connection_string"])) as bus:
        with bus.get_queue_sender(str(number)) as sender:
            sent = time.monotonic()
            sender.send_messages(ServiceBusMessage(body))
        with bus.get_queue_receiver(str(number), sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead_letters:
            (dead,) = dead_letters.receive_messages(max_wait_time=30)
            waited_s = time.monotonic() - sent
    assert host.stop() == 0
    assert b"".join(dead.body) == body
    assert DELIVERIES * HOLD_S <= waited_s < DELIVERIES * (HOLD_S + 3)
