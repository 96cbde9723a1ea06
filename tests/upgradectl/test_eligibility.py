"""The rules of `check`, without a network: whom it asks, what it makes of an answer, and when it stops."""

import stat
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError

from shared import errors
from shared.answers import Eligibility
from shared.models import GateReason, GateState, InFlightUpgrade, Position
from shared.ports import MaySend
from shared.tick import Poller
from tests.fakes import CUSTOMER, FAMILY, NOON, FakePartnerCenter, FakeTokens, TrueUpgrade, World, settings
from tests.unit.gates import LATER, STARTS, Table
from upgradectl.eligibility import Checked, Checks, Subject, row_about
from upgradectl.eligibility_record import COLUMNS, opened
from upgradectl.errors import CommandError, ExitCode

ELIGIBLE = "processed"


def subjects(count: int) -> list[Subject]:
    return [Subject(f"2f3e9a10-5b1c-4d6e-8f70-{number:012d}", FAMILY) for number in range(count)]


def check(world: World, asked: Iterable[Subject], *, parallel: int = 1) -> tuple[list[Checked], CommandError | None]:
    """What was found, and why the others were not asked."""
    found: list[Checked] = []
    try:
        for checked in Checks(world.ports, parallel).run(asked):
            found.append(checked)  # noqa: PERF402  what was found before it raises counts
    except CommandError as error:
        return found, error
    return found, None


def check_until_it_stops(world: World, count: int) -> tuple[list[Checked], CommandError]:
    found, stop = check(world, subjects(count))
    assert stop
    return found, stop


def world_with(*fates: str | errors.CallFailed) -> World:
    world = World()
    world.partner_center.eligibility_fates = deque(fates)
    return world


def test_customers_are_eligible_unless_an_upgrade_is_in_place() -> None:
    world, (first, second) = World(), subjects(2)
    world.partner_center.upgrades.append(TrueUpgrade("u", row_about(second, NOON, "").key, "r1"))
    found, stop = check(world, [first, second])
    assert (found, stop) == ([Checked(first, True), Checked(second, False, "u")], None)


@pytest.mark.parametrize(
    ("error", "is_eligible", "reason"),
    [
        (
            errors.RefusedForGood("No relationship.\n\x1b[2J", code="20002", http_status=403),
            *(False, "20002 No relationship. [2J"),
        ),
        (errors.RefusedForNow("Too new.", code="900130", http_status=403, understood=True), False, "900130 Too new."),
        (errors.RefusedForNow("What?", code="1", http_status=400), None, "refused (1 What?)"),
        (errors.UpgradeNotFound(http_status=404), None, "refused (404)"),
        (errors.OutcomeUnknown("ReadTimeout"), None, "no answer (ReadTimeout)"),
        (errors.OutcomeUnknown(http_status=503), None, "no answer (503)"),
    ],
)
def test_what_an_answer_means(error: errors.CallFailed, is_eligible: bool | None, reason: str) -> None:
    world, (first, second) = world_with(error), subjects(2)
    found, stop = check(world, [first, second])
    assert (found, stop) == ([Checked(first, is_eligible, reason=reason), Checked(second, True)], None)


@pytest.mark.parametrize(("asked_s", "wait_s"), [(57, 57), (90_000, 3600), (None, 30)])
def test_throttling_closes_the_gate_and_the_others_are_not_asked(asked_s: float | None, wait_s: float) -> None:
    world = world_with(ELIGIBLE, errors.Throttled(retry_after_s=asked_s))
    found, stop = check_until_it_stops(world, 9)
    assert [checked.subject for checked in found] == subjects(1)
    assert world.partner_center.eligibilities == 2
    gate = world.store.gate
    assert (gate.position, gate.reason, gate.detail) == (Position.CLOSED, GateReason.THROTTLED, "429")
    assert gate.until_at == NOON + timedelta(seconds=wait_s)
    assert (gate.closed_by, gate.closures) == (row_about(subjects(2)[1], NOON, "").key, 0)
    assert stop.message == f"the gate is closed (throttled: 429) until {gate.until_at:%Y-%m-%dT%H:%M:%SZ}"
    assert (stop.remedy, stop.code) == ("run it again when it is open", ExitCode.FAILED)


def test_the_app_opens_such_a_gate_again_without_a_token() -> None:
    world = world_with(errors.Throttled(retry_after_s=57))
    check_until_it_stops(world, 1)
    world.clock.advance(57)
    tokens = FakeTokens()
    for _ in range(2):
        Poller(world.new_ports(), tokens).tick()
    assert world.store.gate.position is Position.OPEN
    assert tokens.exchanges == 0


def test_a_gate_that_cannot_be_closed_is_told() -> None:
    world, table = world_with(errors.Throttled(retry_after_s=57)), Table()
    table.unwritable = True
    world.ports = world.new_ports(gate_store=table)
    found, stop = check_until_it_stops(world, 9)
    assert (found, world.partner_center.eligibilities) == ([], 1)
    assert "the gate could not be closed" in stop.message
    assert "Storage Table Data Contributor on the table UpgradeControl" in stop.remedy


@pytest.mark.parametrize(
    ("start", "line"),
    [
        ("closed", f"the gate is closed (throttled) until {LATER:%Y-%m-%dT%H:%M:%SZ}; run it again when it is open"),
        ("recovering", "the gate is recovering (credentials); run it again when it is open"),
        ("paused", "the gate is paused (operator); `upgradectl resume` ends it"),
    ],
)
def test_nobody_is_asked_while_the_gate_is_not_open(start: str, line: str) -> None:
    world = World()
    world.store.gate = STARTS[start]
    found, stop = check_until_it_stops(world, 3)
    assert (found, stop.line, world.partner_center.eligibilities) == ([], line, 0)


def test_nobody_is_asked_while_nobody_knows_the_gate() -> None:
    world = World()
    world.store.out = True
    _, stop = check_until_it_stops(world, 3)
    assert "the fake is out" in stop.message
    assert world.partner_center.eligibilities == 0


class _GateCloses(FakePartnerCenter):
    """While the token is made, just before the call would leave."""

    world: World
    to: GateState

    def get_eligibility(self, row: InFlightUpgrade, *, may_send: MaySend) -> Eligibility:
        self.world.store.gate = replace(self.to, etag="another")
        self.world.clock.advance(settings().gate_cache_s)
        return super().get_eligibility(row, may_send=may_send)


@pytest.mark.parametrize("start", ["closed", "recovering", "paused"])
def test_a_call_is_held_back_where_the_gate_closes_just_before_it(start: str) -> None:
    world = World()
    world.partner_center = _GateCloses(world.clock)
    world.partner_center.world, world.partner_center.to = world, STARTS[start]
    world.ports = world.new_ports()
    found, stop = check_until_it_stops(world, 3)
    assert (found, world.partner_center.eligibilities) == ([], 0)
    assert stop.message.startswith(f"the gate is {STARTS[start].position} (")


def test_five_customers_in_a_row_without_an_answer_are_an_outage() -> None:
    lost = errors.OutcomeUnknown("ReadTimeout")
    found, stop = check_until_it_stops(world_with(*[lost] * 4, ELIGIBLE, *[lost] * 9), 20)
    assert [checked.is_eligible for checked in found] == [None] * 4 + [True] + [None] * 5
    assert stop.line == "5 customers in a row: no answer (ReadTimeout); run it again later"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (errors.AccessDenied(code="2032", http_status=403), "Partner Center refuses the app's sign-in (2032)"),
        (errors.Unauthorized(http_status=401), "Partner Center refuses the app's sign-in (401)"),
        (errors.TokenRefused("invalid_grant AADSTS50173", code="invalid_grant"), "the sign-in is refused: invalid"),
        (errors.TokenUnavailable("ConnectTimeout"), "no token for Partner Center: ConnectTimeout"),
    ],
)
def test_a_sign_in_that_is_refused_ends_it(error: errors.CallFailed, line: str) -> None:
    world = world_with(error)
    found, stop = check_until_it_stops(world, 9)
    assert (found, world.partner_center.eligibilities) == ([], 1)
    assert stop.line.startswith(line)
    assert world.store.gate == GateState()


def test_where_others_get_through_it_is_refused_for_that_customer_alone() -> None:
    denied = errors.AccessDenied(code="2032", http_status=403)
    found, stop = check(world_with(ELIGIBLE, denied, ELIGIBLE), subjects(3))
    assert [(checked.is_eligible, checked.reason) for checked in found] == [
        (True, ""),
        (None, "access refused (2032)"),
        (True, ""),
    ]
    assert stop is None
    found, stopped = check_until_it_stops(world_with(ELIGIBLE, *[denied] * 9), 9)
    assert (len(found), stopped.message) == (6, "5 customers in a row: access refused (2032)")


class _NoSecret(FakePartnerCenter):
    def get_eligibility(self, row: InFlightUpgrade, *, may_send: MaySend) -> Eligibility:
        error = HttpResponseError("Forbidden")
        error.status_code = 403
        raise error


def test_who_may_not_read_the_secrets_learns_the_role() -> None:
    world = World()
    world.ports = world.new_ports(partner_center=_NoSecret(world.clock))
    _, stop = check_until_it_stops(world, 9)
    assert stop.line == "Key Vault answered 403; grant yourself Key Vault Secrets User on both secrets"


class _Together(FakePartnerCenter):
    """Answers when so many calls are under way: first that one of them is throttled, the others then."""

    def __init__(self, world: World, parties: int) -> None:
        super().__init__(world.clock)
        self._store = world.store
        self._barrier = threading.Barrier(parties, timeout=10)
        self._lock = threading.Lock()
        self._under_way = self.most = 0

    def get_eligibility(self, row: InFlightUpgrade, *, may_send: MaySend) -> Eligibility:
        with self._lock:
            self._under_way += 1
            self.most = max(self.most, self._under_way)
        try:
            self._barrier.wait()
            if row.customer_id == subjects(1)[0].customer_id:
                raise errors.Throttled(retry_after_s=57)
            deadline = time.monotonic() + 10
            while self._store.gate.position is not Position.CLOSED:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            return super().get_eligibility(row, may_send=lambda: True)
        finally:
            with self._lock:
                self._under_way -= 1


def test_as_many_are_asked_at_once_as_was_said_and_waited_for_when_it_stops() -> None:
    world = World()
    together = _Together(world, 4)
    world.ports = world.new_ports(partner_center=together)
    found, stop = check(world, subjects(4), parallel=4)
    assert together.most == 4
    assert {checked.subject for checked in found} == set(subjects(4)[1:])
    assert stop
    assert stop.message.startswith("the gate is closed (throttled: 429)")


def test_the_row_that_a_call_wants_names_the_customer_and_a_correlation_id() -> None:
    row = row_about(Subject(CUSTOMER, FAMILY), NOON, "correlation")
    assert (row.customer_id, row.product_family, row.correlation_id) == (CUSTOMER, FAMILY, "correlation")
    assert (row.upgrade_id, row.etag) == (None, "")


def test_a_record_grows_and_the_next_run_knows_who_was_answered(tmp_path: Path) -> None:
    path, (first, second, third) = tmp_path / "checked.csv", subjects(3)
    eligible, refused = Checked(first, True), Checked(third, False, "u", '=1+1, "quoted"')
    with opened(path) as record:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert record.answers == {}
        for checked in (eligible, Checked(second, None, reason="no answer"), refused):
            record.add(checked)
    with opened(path) as record:
        assert record.answers == {first: eligible, third: replace(refused, reason='\'=1+1, "quoted"')}
        record.add(Checked(second, False))
    with opened(path) as record:
        assert record.answers[second] == Checked(second, False)
    assert path.read_text().count(",".join(COLUMNS)) == 1


@pytest.mark.parametrize("torn", ["2f3e", f'{CUSTOMER},Azure,no,,"open', f"{CUSTOMER},Azure,no,u"])
def test_a_line_that_a_kill_has_torn_spoils_no_other(torn: str, tmp_path: Path) -> None:
    path, (first, second) = tmp_path / "checked.csv", subjects(2)
    with opened(path) as record:
        record.add(Checked(first, True))
    with path.open("a") as file:
        file.write(torn)
    with opened(path) as record:
        assert list(record.answers) == [first]
        record.add(Checked(second, True))
    with opened(path) as record:
        assert list(record.answers) == [first, second]


@pytest.mark.parametrize(
    ("name", "message"),
    [("requests.csv", "requests.csv is no record of an earlier check"), ("nowhere/x.csv", "No such file or directory")],
)
def test_a_record_that_is_none_is_not_written_to(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "requests.csv").write_text("customerId,productFamily\n")
    with pytest.raises(CommandError) as refused, opened(tmp_path / name):
        pass
    assert refused.value.message.endswith(message)
    assert refused.value.code is ExitCode.USAGE
    assert (tmp_path / "requests.csv").read_text() == "customerId,productFamily\n"
