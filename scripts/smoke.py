"""`python -m scripts.smoke REQUEST_ID`: sends one request through a deployed system and waits for the answer to it.

The customer is made up, so Partner Center's answer is a refusal. That there is one shows that the queue wakes
CreateUpgrade, that the app's identity reaches tables, vault and sign-in, and that Partner Center knows who calls. Needs
SERVICE_BUS_NAMESPACE, UPGRADE_QUEUE and TABLES_URL, in the environment or in azd's; Data Sender on the queue, Table
Data Reader on the tables, and no access to any secret. Ends with 0 where it has passed or cannot be tried yet, else 1.
"""

import argparse
import json
import os
import sys
import time
import uuid
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from azure.servicebus import ServiceBusMessage

from shared.models import GateReason, GateState, InFlightUpgrade, Position, Reason, UpgradeResult
from upgradectl.connections import Connections
from upgradectl.errors import explained
from upgradectl.target import find_target

NEEDED = ("SERVICE_BUS_NAMESPACE", "UPGRADE_QUEUE", "TABLES_URL")
PAUSE_S = 1.0
_ANSWERS = (Reason.THROTTLED, Reason.REFUSED_FOR_NOW)  # the other reasons to wait are none of the service's own
_PLACEHOLDER = "secret:"  # how the code begins of a secret that nobody has set yet


class Outcome(StrEnum):
    """How the test ended."""

    PASSED = "passed"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class Finding:
    """`text`: for people."""

    outcome: Outcome
    text: str


@dataclass(frozen=True)
class Look:
    """What the tables say of the request at one moment."""

    result: UpgradeResult | None
    row: InFlightUpgrade | None
    gate: GateState


def judge(look: Look) -> Finding | None:
    """None: nothing can be said yet."""
    if look.result:
        return Finding(Outcome.PASSED, f"ended as {look.result.status} {look.result.error_code or ''}".rstrip())
    if look.row and look.row.upgrade_id:
        return Finding(Outcome.PASSED, "Partner Center has accepted it")
    if look.row and look.row.last_reason in _ANSWERS:
        return Finding(Outcome.PASSED, f"Partner Center answered {look.row.last_code}: {look.row.last_reason}")
    if look.row and look.row.last_reason is Reason.CREDENTIALS and _is_placeholder(look.row.last_code):
        return _no_consent(look.row.last_code)
    return held_back(look.gate)


def held_back(gate: GateState) -> Finding | None:
    """Whether nobody may call Partner Center until a person has acted."""
    if gate.position is Position.PAUSED:
        return Finding(Outcome.SKIPPED, "the gate is paused: no create call is made until somebody resumes")
    if gate.position is Position.CLOSED and gate.reason is GateReason.CREDENTIALS and _is_placeholder(gate.detail):
        return _no_consent(gate.detail)
    return None


def given_up(look: Look) -> Finding:
    """What is known when the time is up."""
    if look.row is None:
        return Finding(Outcome.FAILED, "nobody has claimed the request: CreateUpgrade does not run, or not to its end")
    waits_for = " ".join(filter(None, (look.row.last_reason, look.row.last_code))) or "the create call"
    gate = " ".join(filter(None, (look.gate.position, look.gate.reason, look.gate.detail)))
    return Finding(Outcome.FAILED, f"claimed, but not answered; it waits for: {waits_for}; the gate: {gate}")


def try_out(system: Connections, request_id: str, timeout_s: float) -> Finding:
    """Nothing is sent where nobody may call anyway."""
    family, customer_id = system.settings.product_families[0], str(uuid.uuid4())
    if finding := held_back(system.store.get_gate()):
        return finding
    _send(system, {"customerId": customer_id, "productFamily": family, "requestId": request_id})
    ends = time.monotonic() + timeout_s
    while True:
        row = system.store.get_in_flight(customer_id, family)  # first: a row is deleted after its result is written
        look = Look(system.store.get_result(customer_id, family, request_id), row, system.store.get_gate())
        if finding := judge(look):
            return finding
        if time.monotonic() >= ends:
            return given_up(look)
        time.sleep(PAUSE_S)


def _is_placeholder(code: str | None) -> bool:
    return bool(code and code.startswith(_PLACEHOLDER))


def _no_consent(code: str | None) -> Finding:
    name = (code or "").removeprefix(_PLACEHOLDER)
    return Finding(Outcome.SKIPPED, f"nobody has set the secret {name} yet: `upgradectl consent`")


def _send(system: Connections, body: dict[str, str]) -> None:
    message = ServiceBusMessage(json.dumps(body), message_id=body["requestId"], content_type="application/json")
    with system.queue.client.get_queue_sender(system.queue.name) as sender:
        sender.send_messages(message)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.smoke", description="See the head of scripts/smoke.py.")
    parser.add_argument("request_id", help="in the results, it tells this request from those of customers")
    parser.add_argument("--timeout-s", type=float, default=300, help="for the answer; default: %(default)s")
    arguments = parser.parse_args()
    try:
        target = find_target(local=False, azd_env=None, overrides=(), environment=os.environ, folder=Path.cwd())
        with Connections(target, target.require(NEEDED)) as system:
            finding = try_out(system, arguments.request_id, arguments.timeout_s)
    except Exception as error:  # noqa: BLE001  whatever it is, one line says it
        finding = Finding(Outcome.FAILED, explained(error).line)
    sys.stdout.write(f"{arguments.request_id} {finding.outcome}: {finding.text}\n")
    sys.exit(finding.outcome is Outcome.FAILED)


if __name__ == "__main__":
    main()
