"""`doctor`: each thing broken in turn, against the local parts and with the SDKs as they are."""

import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, cast
from unittest.mock import patch

import pytest
from azure.data.tables import TableServiceClient
from azure.identity import DefaultAzureCredential
from azure.servicebus.exceptions import ServiceBusAuthorizationError

from shared.credentials import PLACEHOLDER
from shared.upgrade_store import CONTROL, TABLES
from tests.unit.raw_server import Peer, raw_server
from tests.upgradectl.conftest import QUEUE, System
from upgradectl import diagnosis
from upgradectl.azure_checks import AzureChecks
from upgradectl.connections import Connections
from upgradectl.diagnosis import Check, Finding, State, ok
from upgradectl.doctor import examine, usable
from upgradectl.partner_checks import age_found, expiry_found
from upgradectl.reach_checks import skew_found
from upgradectl.target import Target
from upgradectl.vault import StoredSecret

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOBODY = "https://127.0.0.1:9"
OF_VAULT = ("client credential", "refresh token", "Key Vault: write")
OF_SIGN_IN = ("Partner Center sign-in", "MFA", "Partner Center")
OF_TABLES = tuple(f"table {name}" for name in TABLES)
OF_QUEUE = ("queue: receive", "queue: send")


def look(system: System, *, queue: bool = False, **changed: str) -> dict[str, Finding]:
    """`queue`: looked at in earnest, which takes the SDK seconds."""
    target = Target({**system.settings, **changed}, "a test")
    with ExitStack() as stack:
        if not queue:
            stack.enter_context(patch.object(AzureChecks, "_queue", lambda self, role: ok("not looked at")))
        connections = stack.enter_context(Connections(*usable(target)))
        return dict(examine(connections, target))


def only(found: Mapping[str, Finding], state: State) -> tuple[str, ...]:
    """But for the clock: of the local services, Table Storage alone tells its time."""
    return tuple(name for name, finding in found.items() if finding.state is state and name != "clock")


def forbidden(code: str, **which: object) -> dict[str, object]:
    return {"name": "forbidden", "do": "answer", "status": 403, "code": code, **which}


def test_a_system_in_which_everything_is_as_it_should_be(consented: System) -> None:
    versions = len(list(consented.secrets.list_properties_of_secret_versions(consented.refresh_token_name)))
    ended = consented.run("doctor")
    assert (ended.code, ended.err) == (0, "")
    header, *lines = ended.out.splitlines()
    assert header.split() == ["STATE", "CHECK", "FOUND"]
    assert len(lines) == 19
    assert all(line.startswith("ok  ") for line in lines), ended.out
    assert len(list(consented.secrets.list_properties_of_secret_versions(consented.refresh_token_name))) == versions


def test_what_is_broken_ends_with_1_and_is_named_with_its_remedy(system: System) -> None:
    system.put_client_secret()
    ended = system.run("doctor", "--json")
    assert ended.code == 1
    document = ended.document
    assert (document["ok"], document["system"]) == (False, "the environment")
    states = {check["name"]: check["state"] for check in document["checks"]}
    assert [name for name, state in states.items() if state == "failed"] == ["refresh token"]
    broken = next(check for check in document["checks"] if check["state"] == "failed")
    assert broken["detail"] == f"Key Vault holds no {system.refresh_token_name}"
    assert broken["remedy"] == "run `upgradectl consent`"
    assert [name for name, state in states.items() if state == "not tried"] == list(OF_SIGN_IN)


@pytest.mark.parametrize(
    ("changed", "broken", "not_tried"),
    [
        ({"TABLES_URL": ""}, ("settings",), ("reach Table Storage", *OF_TABLES)),
        ({"KEY_VAULT_URL": "nonsense"}, ("settings",), ("reach Key Vault", *OF_VAULT, *OF_SIGN_IN)),
        ({"SERVICE_BUS_NAMESPACE": "sb://x y"}, ("settings",), ("reach Service Bus", *OF_QUEUE)),
        ({"PARTNER_TENANT_ID": ""}, ("settings",), ("reach the sign-in", *OF_SIGN_IN)),
        ({"LEASE_S": "30"}, ("settings",), ()),
        ({"KEY_VAULT_URL": NOBODY}, ("reach Key Vault",), (*OF_VAULT, *OF_SIGN_IN)),
        ({"TABLES_URL": f"{NOBODY}/devstoreaccount1"}, ("reach Table Storage",), OF_TABLES),
        ({"SERVICE_BUS_NAMESPACE": "localhost:9"}, ("reach Service Bus",), OF_QUEUE),
        ({"AUTHORITY_URL": NOBODY}, ("reach the sign-in",), OF_SIGN_IN),
        ({"PARTNER_CENTER_URL": NOBODY}, ("reach Partner Center",), ("Partner Center",)),
        ({"UPGRADE_QUEUE": "nowhere"}, OF_QUEUE, ()),
    ],
)
def test_a_wrong_setting_explains_what_is_not_tried(
    consented: System, changed: dict[str, str], broken: tuple[str, ...], not_tried: tuple[str, ...]
) -> None:
    found = look(consented, queue="UPGRADE_QUEUE" in changed, **changed)
    assert (only(found, State.FAILED), only(found, State.NOT_TRIED)) == (broken, not_tried)
    (name,) = changed
    named = " ".join(found[check].line for check in broken)
    assert (name if changed != {"UPGRADE_QUEUE": "nowhere"} else "there is no queue nowhere") in named
    assert all(found[check].remedy for check in broken)


def test_all_settings_that_are_missing_are_named_at_once(consented: System) -> None:
    found = look(consented, TABLES_URL="", UPGRADE_QUEUE="", CALL_DEADLINE_S="never")
    assert "TABLES_URL is missing; UPGRADE_QUEUE is missing; CALL_DEADLINE_S must be" in found["settings"].detail


def test_without_an_azure_sign_in_nothing_of_azure_is_tried(consented: System) -> None:
    consented.rule("identity", {"name": "out", "do": "answer", "status": 400, "code": "invalid_request"})
    found = look(consented)
    assert only(found, State.FAILED) == ("Azure sign-in",)
    assert "az login" in found["Azure sign-in"].remedy
    assert only(found, State.NOT_TRIED) == (*OF_QUEUE, *OF_TABLES, *OF_VAULT, *OF_SIGN_IN)


def test_a_token_that_is_no_jwt_is_one_too(consented: System, monkeypatch: pytest.MonkeyPatch) -> None:
    with consented.connect() as connections:
        monkeypatch.setattr(connections.credential, "get_token", lambda scope: _Token("opaque"))
        (identity, *_) = AzureChecks(connections).checks()
        assert identity.examine() == ok("signed in")


class _Token:
    def __init__(self, token: str) -> None:
        self.token = token


def test_a_reader_of_the_tables_is_warned(consented: System) -> None:
    consented.rule("storage_front", forbidden("AuthorizationPermissionMismatch", method="DELETE"))
    found = look(consented)
    assert only(found, State.WARNING) == OF_TABLES
    line = found["table UpgradeControl"].line
    assert "answered 403 AuthorizationPermissionMismatch" in line
    assert "Storage Table Data Contributor on the table UpgradeControl" in line


def test_who_may_not_read_a_table_learns_the_role(consented: System) -> None:
    consented.rule("storage_front", forbidden("AuthorizationPermissionMismatch", path="UpgradeResults"))
    found = look(consented)
    assert only(found, State.FAILED) == ("table UpgradeResults",)
    assert "Storage Table Data Reader on the table UpgradeResults" in found["table UpgradeResults"].remedy


def test_a_network_rule_is_no_missing_role(consented: System) -> None:
    consented.rule("storage_front", forbidden("AuthorizationFailure", path="UpgradeResults"))
    assert "network rules" in look(consented)["table UpgradeResults"].remedy


def test_looking_writes_nothing(consented: System) -> None:
    def content() -> list[object]:
        with consented.connect() as connections:
            return [sorted(map(repr, connections.open_table(name).list_entities())) for name in TABLES]

    before = content()
    look(consented)
    assert content() == before


def test_a_table_that_is_missing(consented: System) -> None:
    with (
        DefaultAzureCredential() as credential,
        TableServiceClient(str(consented.parts["azurite"].facts["url"]), credential=credential) as tables,
    ):
        tables.delete_table(CONTROL)
        try:
            found = look(consented)
        finally:
            tables.create_table(CONTROL)
    assert only(found, State.FAILED) == ("table UpgradeControl",)
    assert found["table UpgradeControl"].detail == "there is no such table"


def test_who_may_not_read_the_secrets_learns_the_role(consented: System) -> None:
    consented.rule("key_vault", forbidden("Forbidden", method="GET", path=consented.refresh_token_name))
    found = look(consented)
    assert only(found, State.FAILED) == ("refresh token",)
    assert f"Key Vault Secrets User on the secret {consented.refresh_token_name}" in found["refresh token"].remedy


def test_who_may_not_write_the_secrets_is_warned(consented: System) -> None:
    consented.rule("key_vault", forbidden("Forbidden", method="PATCH"))
    found = look(consented)
    assert only(found, State.WARNING) == ("Key Vault: write",)
    assert "Key Vault Secrets Officer" in found["Key Vault: write"].remedy


def test_a_vault_that_fails_is_no_missing_role(consented: System) -> None:
    consented.rule("key_vault", {"name": "out", "do": "answer", "status": 500, "code": "Internal", "path": "/secrets/"})
    found = look(consented)
    assert only(found, State.FAILED) == OF_VAULT
    assert all("answered 500 Internal" in found[name].detail for name in OF_VAULT)


@pytest.mark.parametrize("which", ["client credential", "refresh token"])
def test_a_placeholder_is_known_as_one(consented: System, which: str) -> None:
    names = {"client credential": consented.client_secret_name, "refresh token": consented.refresh_token_name}
    consented.put(names[which], f"{PLACEHOLDER} replaced by upgradectl consent")
    found = look(consented)
    assert only(found, State.FAILED) == (which,)
    assert found[which].detail == f"{names[which]} is the deployment's placeholder"
    assert "upgradectl consent" in found[which].remedy


def test_a_certificate_that_is_none(consented: System) -> None:
    found = look(consented, CLIENT_CERTIFICATE_NAME=consented.client_secret_name)
    assert only(found, State.FAILED) == ("client credential",)
    assert "neither PKCS#12 nor PEM" in found["client credential"].detail


@pytest.mark.parametrize(
    ("trouble", "said", "remedy"),
    [
        ("invalid_grant", "the sign-in is refused: invalid_grant AADSTS50173", "upgradectl consent"),
        ("invalid_client", "secret or certificate is refused: invalid_client AADSTS7000222", "into Key Vault"),
        (53003, "a conditional access policy refuses", "administrator"),
        (90033, "no token for Partner Center", "try again"),
    ],
)
def test_a_sign_in_that_is_refused(consented: System, trouble: object, said: str, remedy: str) -> None:
    consented.fake("PUT", "switches", {"token_error": trouble})
    found = look(consented)
    assert only(found, State.FAILED) == ("Partner Center sign-in",)
    assert said in found["Partner Center sign-in"].detail
    assert remedy in found["Partner Center sign-in"].remedy
    assert only(found, State.NOT_TRIED) == ("MFA", "Partner Center")


def test_a_sign_in_without_mfa(consented: System) -> None:
    consented.put_refresh_token(mfa=False)
    found = look(consented)
    assert only(found, State.FAILED) == ("MFA",)
    assert "with MFA" in found["MFA"].remedy


def answering(head: str, body: str = '{"code": 1}') -> Callable[[Peer], None]:
    answer = f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
    return lambda peer: peer.answer(answer.encode())


@pytest.mark.parametrize(
    ("head", "body", "state", "said"),
    [
        ("200 OK\r\nisMfaCompliant: false", '{"isEligible": true}', State.FAILED, "not MFA compliant"),
        ("401 Unauthorized", '{"code": 900420}', State.FAILED, "answered 401 900420"),
        ("403 Forbidden", '{"code": 2032}', State.WARNING, "answered 403 2032"),
        ("404 Not Found", '{"code": 900106}', State.OK, "answered 404 900106"),
        ("429 Too Many Requests", "{}", State.WARNING, "throttled"),
        ("503 Unavailable", "<h1>out</h1>", State.FAILED, "answered 503"),
    ],
)
def test_what_partner_center_answers(consented: System, head: str, body: str, state: State, said: str) -> None:
    with raw_server(answering(head, body)) as server:
        found = look(consented, PARTNER_CENTER_URL=server.url)
    assert found["Partner Center"].state is state
    assert said in found["Partner Center"].line


def test_a_partner_center_that_falls_silent_is_waited_for_in_bounds(consented: System) -> None:
    with raw_server(answering("404 Not Found"), lambda peer: peer.wait_until_gone()) as server:
        found = look(consented, PARTNER_CENTER_URL=server.url, AZURE_CALL_DEADLINE_S="1")
    assert found["Partner Center"].state is State.FAILED
    assert "did not answer (ReadTimeout)" in found["Partner Center"].detail


def test_a_clock_that_is_wrong_is_seen_in_the_services_dates(consented: System) -> None:
    date = format_datetime(datetime.now(UTC) - timedelta(minutes=10), usegmt=True)
    with raw_server(answering(f"404 Not Found\r\nDate: {date}")) as server:
        found = look(consented, PARTNER_CENTER_URL=server.url, KEY_VAULT_URL="", TABLES_URL="", PARTNER_TENANT_ID="")
    assert found["clock"].state is State.FAILED
    assert found["clock"].detail.endswith("s ahead")


@pytest.mark.parametrize(
    ("skews_s", "state"),
    [
        ([], State.NOT_TRIED),
        ([-2.0, 59.0, 1.0], State.OK),
        ([61.0], State.WARNING),
        ([-61.0, -62.0, 500.0], State.WARNING),
        ([-301.0], State.FAILED),
    ],
)
def test_how_far_a_clock_may_be_wrong(skews_s: list[float], state: State) -> None:
    assert skew_found(skews_s).state is state


@pytest.mark.parametrize(("age_d", "state"), [(0, State.OK), (6.9, State.OK), (7, State.WARNING), (90, State.FAILED)])
def test_a_refresh_token_that_nobody_renews(age_d: float, state: State) -> None:
    found = age_found(StoredSecret("token", NOW - timedelta(days=age_d), None), NOW)
    assert (found.state, found.detail) == (state, f"{age_d:.1f} days old")


@pytest.mark.parametrize(
    ("left_d", "state"), [(None, State.OK), (31, State.OK), (29, State.WARNING), (0, State.FAILED), (-3, State.FAILED)]
)
def test_a_client_credential_that_ends(left_d: float | None, state: State) -> None:
    ends = None if left_d is None else NOW + timedelta(days=left_d)
    assert expiry_found(StoredSecret("secret", NOW, ends), NOW).state is state


class _ForbiddenQueue:
    name = QUEUE

    def peek(self) -> int:
        raise ServiceBusAuthorizationError(message="Unauthorized access. 'Listen' claim(s) are required.")

    def open_sender(self) -> None:
        raise ServiceBusAuthorizationError(message="Unauthorized access. 'Send' claim(s) are required.")


class _WithQueue:
    queue = _ForbiddenQueue()


def test_who_may_not_use_the_queue_learns_the_role() -> None:
    checks = {check.name: check for check in AzureChecks(cast(Connections, _WithQueue())).checks()}
    for name, role in (("queue: receive", "Data Receiver"), ("queue: send", "Data Sender")):
        found = checks[name].examine()
        assert (found.state, found.remedy) == (
            State.FAILED,
            f"grant yourself Azure Service Bus {role} on the queue {QUEUE}",
        )


def test_a_check_that_hangs_is_given_up_and_one_that_raises_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "_GRACE_S", 0.02)
    with socket.create_server(("127.0.0.1", 0)) as silent:

        def hangs() -> Finding:
            with socket.create_connection(silent.getsockname()) as connection:
                connection.recv(1)
            return ok("it spoke")

        def raises() -> Finding:
            raise ValueError("odd\nand long")

        checks = (Check("hangs", hangs), Check("raises", raises), Check("depends", lambda: ok(""), ("raises",)))
        found: dict[str, Any] = dict(diagnosis.examine(checks, (), 0.03))
    assert found["hangs"].detail == "no answer within 0.03 s"
    assert found["raises"].detail == "unexpected ValueError: odd"
    assert found["depends"] == Finding(State.NOT_TRIED, "needs: raises")
