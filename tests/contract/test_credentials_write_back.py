"""The refresh token in Key Vault: the app writes it back, and whatever a person puts there stays on top."""

import itertools
import json
import logging
import random
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient

from local import key_vault, vault
from local.http import Server
from local.tls import Tls
from shared import transport
from shared.credentials import Credentials, Secret, Vault, Version
from shared.errors import TokenRefused, TokenUnavailable
from shared.key_vault import KeyVault
from shared.sign_in import SignIn, Tokens
from tests.fakes import FakeClock, settings

DAY_S = 86_400
# What an exchange that is written back asks of the vault, in this order; then whatever a restore asks.
CLIENT, REFRESH, CHECK, SET, LIST, LAST = range(6)
UNDISTURBED = ["get", "get", "get", "set", "list", "get"]
RESTORED = ["get", "get", "get", "set", "list", "get", "set", "list", "get"]


class EverySignIn(SignIn):
    """Gives a new refresh token for every one. `error`: or does not. `revoked`: or for all but these."""

    def __init__(self) -> None:
        self.revoked: set[str] = set()
        self.used: list[str] = []
        self.new: Callable[[str], str | None] = lambda used: f"{used}+"
        self.error: TokenUnavailable | TokenRefused | None = None

    def exchange(self, client_credential: str | dict[str, str], refresh_token: str) -> Tokens:
        self.used.append(refresh_token)
        if self.error:
            raise self.error
        if refresh_token in self.revoked:
            raise TokenRefused("revoked", code="invalid_grant")
        return Tokens(f"access-{len(self.used)}", self.new(refresh_token), 3600, ("pwd", "mfa"))


class InMemory:
    """`credentials.Vault` without a protocol."""

    def __init__(self, memory: vault.Vault) -> None:
        self._memory = memory

    def get_secret(self, name: str, version_id: str | None = None) -> Secret:
        found = self._memory.get(name, version_id)
        return Secret(found.value, _version(found))

    def set_secret(self, name: str, value: str) -> None:
        self._memory.set(name, value, vault.Properties(tags={"written-by": "app"}))

    def list_versions(self, name: str) -> Iterable[Version]:
        return [_version(each) for each in self._memory.list_versions(name)]


def _version(found: vault.SecretVersion) -> Version:
    return Version(found.version, datetime.fromtimestamp(found.created, UTC), by_app="written-by" in found.tags)


class Interrupted:
    """A vault with somebody else in it: before its n-th operation, and after it."""

    def __init__(self, inner: Vault) -> None:
        self._inner = inner
        self.operations: list[str] = []
        self.before: dict[int, Callable[[], object]] = {}
        self.after: dict[int, Callable[[], object]] = {}
        self.before_each: Callable[[], object] = lambda: None

    def get_secret(self, name: str, version_id: str | None = None) -> Secret:
        return self._run("get", lambda: self._inner.get_secret(name, version_id))

    def set_secret(self, name: str, value: str) -> None:
        self._run("set", lambda: self._inner.set_secret(name, value))

    def list_versions(self, name: str) -> Iterable[Version]:
        return self._run("list", lambda: self._inner.list_versions(name))

    def _run[Result](self, operation: str, call: Callable[[], Result]) -> Result:
        number = len(self.operations)
        self.operations.append(operation)
        self.before_each()
        self.before.get(number, lambda: None)()
        result = call()
        self.after.get(number, lambda: None)()
        return result


class World:
    """One refresh token, a person who replaces it, and as many processes as a test makes."""

    def __init__(self, inner: Vault, memory: vault.Vault, clock: FakeClock) -> None:
        self.inner, self.memory, self.clock = inner, memory, clock
        name = uuid4().hex
        self.name = f"refresh-{name}"
        self.settings = settings(client_secret_name=f"client-{name}", refresh_token_secret_name=self.name)
        self.sign_in = EverySignIn()
        self.vault = Interrupted(inner)
        self.memory.set(f"client-{name}", "client secret")
        self.put("first")
        self.credentials = Credentials(self.vault, self.sign_in, clock, self.settings)

    def put(self, value: str) -> None:
        """A person does."""
        self.memory.set(self.name, value)

    @property
    def top(self) -> vault.SecretVersion:
        return self.memory.get(self.name)

    def exchange(self) -> str:
        self.credentials.drop_token()
        return self.credentials.get_token()


@pytest.fixture(scope="module")
def clock() -> FakeClock:
    return FakeClock(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture(scope="module")
def memory(clock: FakeClock) -> vault.Vault:
    return vault.Vault(clock=lambda: clock.now().timestamp())


@pytest.fixture(scope="module")
def over_a_socket(memory: vault.Vault, tls: Tls, credential: DefaultAzureCredential) -> Iterator[KeyVault]:
    """The real adapter and SDK, on a vault whose clock is the test's."""
    service = key_vault.KeyVault(memory)
    with (
        Server(service.answer, tls=tls) as server,
        transport.new_session(connections=2, ca_file=str(tls.ca)) as session,
    ):
        service.port = server.port
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield KeyVault(SecretClient(service.url, credential, transport=transport.DeadlineTransport(session)), 5)
        server.shutdown()
        thread.join()


@pytest.fixture(params=["in memory", "over a socket"])
def world(request: pytest.FixtureRequest, memory: vault.Vault, clock: FakeClock) -> World:
    inner = request.getfixturevalue("over_a_socket") if request.param == "over a socket" else InMemory(memory)
    return World(inner, memory, clock)


@pytest.fixture
def small_world(memory: vault.Vault, clock: FakeClock) -> World:
    return World(InMemory(memory), memory, clock)


@pytest.fixture(autouse=True)
def _everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "upgrades")


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage().partition(" ")[0] for record in caplog.records if record.name == "upgrades"]


def fields(caplog: pytest.LogCaptureFixture, event: str) -> list[Any]:
    lines = [record.getMessage().partition(" ") for record in caplog.records]
    return [json.loads(text) for name, _, text in lines if name == event]


# When


def test_it_is_written_once_per_interval_by_the_age_of_its_version(world: World) -> None:
    world.clock.jump(DAY_S - 1)
    world.exchange()
    assert world.top.value == "first"
    world.clock.jump(1)
    world.exchange()
    written = world.top
    assert (written.value, written.tags) == ("first+", {"written-by": "app"})
    world.exchange()
    assert world.top == written
    world.clock.jump(DAY_S)
    world.exchange()
    assert world.top.value == "first++"


def test_an_undisturbed_write_back_costs_four_calls(world: World) -> None:
    world.clock.advance(DAY_S)
    world.exchange()
    assert world.vault.operations == UNDISTURBED


@pytest.mark.parametrize("returned", [None, "the same"])
def test_what_is_not_new_is_not_written(small_world: World, returned: str | None) -> None:
    small_world.sign_in.new = lambda _: returned
    small_world.put("the same")
    before = small_world.top
    small_world.clock.advance(DAY_S)
    small_world.exchange()
    assert small_world.top == before


# A person's version ends on top


@pytest.mark.parametrize("moment", range(len(UNDISTURBED) + 1))
def test_what_a_person_puts_there_at_any_moment_ends_on_top(
    world: World, caplog: pytest.LogCaptureFixture, moment: int
) -> None:
    """All within one second: the vault's times cannot tell the person's version from ours."""
    world.clock.advance(DAY_S)
    world.vault.before[moment] = lambda: world.put("better")
    world.exchange()
    world.vault.before.get(len(world.vault.operations), lambda: None)()
    assert world.top.value == "better"
    assert events(caplog) == ["auth.renewed"]
    world.exchange()
    assert world.sign_in.used[-1] == "better"


def test_over_a_version_that_is_there_at_the_check_nothing_is_written(world: World) -> None:
    world.clock.advance(DAY_S)
    world.vault.before[CHECK] = lambda: world.put("better")
    world.exchange()
    assert (world.top.value, world.top.tags) == ("better", {})
    assert world.vault.operations == UNDISTURBED[:SET]


def test_a_version_between_check_and_write_is_written_again_as_the_apps_own(world: World) -> None:
    world.clock.advance(DAY_S)
    world.vault.before[SET] = lambda: world.put("better")
    world.exchange()
    assert (world.top.value, world.top.tags) == ("better", {"written-by": "app"})
    assert world.vault.operations == RESTORED


@pytest.mark.parametrize("first", range(SET, len(RESTORED) + 1))
@pytest.mark.parametrize("apart_s", [0, 1])
@pytest.mark.parametrize("ids", [itertools.count(), itertools.count(-1, -1)], ids=["ascending ids", "descending ids"])
def test_of_two_versions_the_newer_one_ends_on_top(
    small_world: World, monkeypatch: pytest.MonkeyPatch, first: int, apart_s: int, ids: Iterator[int]
) -> None:
    monkeypatch.setattr(vault, "uuid4", lambda: UUID(int=next(ids) % 2**128))
    # Both before the first look at the versions and within one second: nobody can tell which is the newer one.
    begin = first if apart_s else max(first, LIST + 1)
    for second in range(begin, len(RESTORED) + 4):
        world = World(small_world.inner, small_world.memory, small_world.clock)
        world.clock.advance(DAY_S)
        _put_two(world, first, second, apart_s)
        world.exchange()
        last = [world.vault.before[n] for n in sorted(world.vault.before) if n >= len(world.vault.operations)]
        for put in last:
            put()
        assert world.top.value == "newer", second


def _put_two(world: World, first: int, second: int, apart_s: int) -> None:
    def put_newer() -> None:
        world.clock.advance(apart_s)
        world.put("newer")

    def put_both() -> None:
        world.put("better")
        put_newer()

    if first == second:
        world.vault.before[first] = put_both
    else:
        world.vault.before |= {first: lambda: world.put("better"), second: put_newer}


class Actor(threading.Thread):
    """Works one step at a time: from one `pause` to the next."""

    def __init__(self, work: Callable[[Callable[[], None]], object]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._go, self._paused = threading.Semaphore(0), threading.Semaphore(0)
        self.done = False
        self.error: BaseException | None = None
        self.start()

    def step(self) -> None:
        self._go.release()
        assert self._paused.acquire(timeout=10)

    def run(self) -> None:
        self._go.acquire()
        try:
            self._work(self._pause)
        except BaseException as error:  # noqa: BLE001  the test looks at it
            self.error = error
        self.done = True
        self._paused.release()

    def _pause(self) -> None:
        self._paused.release()
        self._go.acquire()


def _instance(world: World) -> Actor:
    """Another process of the app."""
    own = Interrupted(world.inner)

    def work(pause: Callable[[], None]) -> object:
        own.before_each = pause
        return Credentials(own, EverySignIn(), world.clock, world.settings).get_token()

    return Actor(work)


def _person(world: World, values: list[str]) -> Actor:
    def work(pause: Callable[[], None]) -> None:
        for value in values:
            pause()
            world.clock.advance(value != values[0])
            world.put(value)

    return Actor(work)


@pytest.mark.parametrize("values", [["better"], ["better", "newer"]], ids=["one version", "two versions"])
@pytest.mark.parametrize("instances", [2, 3])
def test_with_several_instances_in_any_order_the_persons_version_ends_on_top(
    small_world: World, instances: int, values: list[str]
) -> None:
    buried = 0
    for seed in range(250):
        world = World(small_world.inner, small_world.memory, small_world.clock)
        world.clock.advance(DAY_S)
        chance = random.Random(seed)
        actors = [_person(world, values), *(_instance(world) for _ in range(instances))]
        while alive := [actor for actor in actors if not actor.done]:
            chance.choice(alive).step()
        assert [actor.error for actor in actors] == [None] * len(actors)
        assert world.top.value == values[-1], seed
        buried += world.top.tags != {}
    assert buried > 10, "the orders in which the app writes over the person's version are among them"


# A write-back that fails


def fail(error: type[TokenUnavailable | TokenRefused] = TokenUnavailable) -> Callable[[], object]:
    def raise_it() -> None:
        raise error("out")

    return raise_it


@pytest.mark.parametrize("error", [TokenUnavailable, TokenRefused])
@pytest.mark.parametrize("operation", range(CHECK, len(UNDISTURBED)))
def test_a_write_back_that_fails_costs_no_token_and_is_made_good(
    small_world: World,
    caplog: pytest.LogCaptureFixture,
    operation: int,
    error: type[TokenUnavailable | TokenRefused],
) -> None:
    world = small_world
    world.clock.advance(DAY_S)
    world.vault.before[operation] = fail(error)
    assert world.exchange() == "access-1"
    assert events(caplog) == ["auth.renewed", "auth.write_back_failed"]
    assert fields(caplog, "auth.write_back_failed") == [{"error_type": error.__name__}]
    world.exchange()
    assert world.top.value == "first+"
    assert events(caplog)[2:] == ["auth.renewed"]


@pytest.mark.parametrize("lost", ["request", "answer"])
@pytest.mark.parametrize("operation", range(SET, len(RESTORED)))
def test_a_persons_version_below_ours_comes_up_again_after_a_failure(
    small_world: World, caplog: pytest.LogCaptureFixture, operation: int, lost: str
) -> None:
    world = small_world
    world.clock.advance(DAY_S)
    world.vault.before[SET] = lambda: world.put("better")
    moments = world.vault.before if lost == "request" else world.vault.after
    put = moments.get(operation, lambda: None)
    moments[operation] = lambda: (put(), fail()())
    assert world.exchange() == "access-1"
    assert events(caplog) == ["auth.renewed", "auth.write_back_failed"]
    world.clock.advance(3600)
    world.exchange()
    assert world.top.value == "better"
    assert events(caplog)[2:] == ["auth.renewed"]


def test_a_persons_version_below_ours_comes_up_where_ours_is_refused(small_world: World) -> None:
    """Who consents anew ends the sign-in before: no exchange of ours would come through any more."""
    world = small_world
    world.clock.advance(DAY_S)
    world.vault.before[SET] = lambda: world.put("better")
    world.vault.before[LIST] = fail()
    world.exchange()
    assert world.top.value == "first+"
    world.sign_in.revoked |= {"first", "first+"}
    world.credentials.drop_token()
    assert world.exchange()
    assert world.top.value == "better"
    assert world.sign_in.used[-2:] == ["first+", "better"]


# On a schedule


def test_nothing_is_exchanged_before_it_is_due(small_world: World) -> None:
    world = small_world
    for _ in range(23):
        world.credentials.renew_if_due()
        world.clock.advance(3600)
    assert world.sign_in.used == []
    assert world.credentials.sign_in is None
    world.credentials.renew_if_due()
    world.clock.advance(3600)
    assert world.sign_in.used == []
    world.credentials.renew_if_due()
    assert world.sign_in.used == ["first"]


def test_an_idle_app_renews_and_writes_back_for_ever(world: World) -> None:
    for day in range(1, 4):
        world.clock.advance(DAY_S)
        world.credentials.renew_if_due()
        assert world.top.value == "first" + day * "+"
    assert len(world.sign_in.used) == 3


def test_the_age_is_known_after_a_look_and_after_a_write_back(small_world: World) -> None:
    world = small_world
    assert world.credentials.refresh_token_age_d is None
    world.clock.advance(DAY_S / 2)
    world.credentials.renew_if_due()
    assert world.credentials.refresh_token_age_d == 0.5
    world.clock.advance(DAY_S / 2)
    world.credentials.renew_if_due()
    assert world.credentials.refresh_token_age_d == 0


def test_a_look_alone_does_not_change_whose_sign_in_the_token_is(small_world: World) -> None:
    world = small_world
    used = world.top.version
    world.exchange()
    world.put("better")
    world.credentials.renew_if_due()
    assert world.credentials.sign_in == used
    world.exchange()
    assert world.credentials.sign_in == world.top.version


@pytest.mark.parametrize("trouble", ["vault", "exchange unavailable", "exchange refused", "no new refresh token"])
def test_an_attempt_that_failed_or_wrote_nothing_waits(small_world: World, trouble: str) -> None:
    world = small_world
    world.clock.advance(DAY_S)
    mended = world.clock.now() + timedelta(seconds=world.settings.retry_max_s)
    world.vault.before = {0: fail()} if trouble == "vault" else {}
    world.sign_in.new = lambda used: (
        None if trouble == "no new refresh token" and world.clock.now() < mended else f"{used}+"
    )
    errors: dict[str, TokenUnavailable | TokenRefused] = {
        "exchange unavailable": TokenUnavailable("out"),
        "exchange refused": TokenRefused("no", code="x"),
    }
    world.sign_in.error = errors.get(trouble)
    if trouble == "no new refresh token":
        world.credentials.renew_if_due()
    else:
        with pytest.raises((TokenUnavailable, TokenRefused)):
            world.credentials.renew_if_due()
    asked = len(world.vault.operations)
    world.clock.advance(world.settings.retry_max_s - 1)
    world.credentials.renew_if_due()
    assert len(world.vault.operations) == asked
    world.sign_in.error = None
    world.clock.advance(1)
    world.credentials.renew_if_due()
    assert world.top.value == "first+"
