"""The refresh token in Key Vault: the app writes it back, and whatever a person puts there stays on top."""

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient

from local import key_vault, vault
from local.http import Server
from local.tls import Tls
from shared import transport
from shared.errors import TokenRefused, TokenUnavailable
from shared.key_vault import KeyVault
from tests.contract.write_back import CHECK, DAY_S, LIST, RESTORED, SET, UNDISTURBED, OneToken, fail, in_memory
from tests.fakes import FakeClock
from tests.unit.gates import events, names


@pytest.fixture(scope="module")
def over_a_socket(tls: Tls, credential: DefaultAzureCredential) -> Iterator[Callable[[], OneToken]]:
    """The real adapter and SDK, on a vault whose clock is the test's."""
    clock = FakeClock(datetime.now(UTC).replace(microsecond=0))
    memory = vault.Vault(clock=lambda: clock.now().timestamp())
    service = key_vault.KeyVault(memory)
    with (
        Server(service.answer, tls=tls) as server,
        transport.new_session(connections=2, ca_file=str(tls.ca)) as session,
    ):
        service.port = server.port
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        client = SecretClient(service.url, credential, transport=transport.DeadlineTransport(session))
        yield lambda: OneToken(KeyVault(client, 5), memory, clock)
        server.shutdown()
        thread.join()


@pytest.fixture(params=["in memory", "over a socket"])
def world(request: pytest.FixtureRequest) -> OneToken:
    return request.getfixturevalue("over_a_socket")() if request.param == "over a socket" else in_memory()


@pytest.fixture(autouse=True)
def _everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "upgrades")


def test_it_is_written_once_per_interval_by_the_age_of_its_version(world: OneToken) -> None:
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


def test_an_idle_app_renews_and_writes_back_for_ever(world: OneToken) -> None:
    for day in range(1, 4):
        world.clock.advance(DAY_S)
        world.credentials.renew_if_due()
        assert world.top.value == "first" + day * "+"
    assert len(world.sign_in.used) == 3


def test_an_undisturbed_write_back_costs_four_calls(world: OneToken) -> None:
    world.clock.advance(DAY_S)
    world.exchange()
    assert world.vault.operations == UNDISTURBED


@pytest.mark.parametrize("returned", [None, "the same"])
def test_what_is_not_new_is_not_written(returned: str | None) -> None:
    world = in_memory()
    world.sign_in.new = lambda _: returned
    world.put("the same")
    before = world.top
    world.clock.advance(DAY_S)
    world.exchange()
    assert world.top == before


@pytest.mark.parametrize("moment", range(len(UNDISTURBED) + 1))
def test_what_a_person_puts_there_at_any_moment_ends_on_top(
    world: OneToken, caplog: pytest.LogCaptureFixture, moment: int
) -> None:
    """All within one second: the vault's times cannot tell the person's version from ours."""
    world.clock.advance(DAY_S)
    world.vault.before[moment] = lambda: world.put("better")
    world.exchange()
    world.vault.before.get(len(world.vault.operations), lambda: None)()
    assert world.top.value == "better"
    assert names(caplog) == ["auth.renewed"]
    world.exchange()
    assert world.sign_in.used[-1] == "better"


def test_over_a_version_that_is_there_at_the_check_nothing_is_written(world: OneToken) -> None:
    world.clock.advance(DAY_S)
    world.vault.before[CHECK] = lambda: world.put("better")
    world.exchange()
    assert (world.top.value, world.top.tags) == ("better", {})
    assert world.vault.operations == UNDISTURBED[:SET]


def test_a_version_between_check_and_write_is_written_again_as_the_apps_own(world: OneToken) -> None:
    world.clock.advance(DAY_S)
    world.vault.before[SET] = lambda: world.put("better")
    world.exchange()
    assert (world.top.value, world.top.tags) == ("better", {"written-by": "app"})
    assert world.vault.operations == RESTORED


@pytest.mark.parametrize("error", [TokenUnavailable, TokenRefused])
@pytest.mark.parametrize("operation", range(CHECK, len(UNDISTURBED)))
def test_a_write_back_that_fails_costs_no_token_and_is_made_good(
    caplog: pytest.LogCaptureFixture,
    operation: int,
    error: type[TokenUnavailable | TokenRefused],
) -> None:
    world = in_memory()
    world.clock.advance(DAY_S)
    world.vault.before[operation] = fail(error)
    assert world.exchange() == "access-1"
    assert names(caplog) == ["auth.renewed", "auth.write_back_failed"]
    assert events(caplog)[1] == ("auth.write_back_failed", {"error_type": error.__name__})
    world.exchange()
    assert world.top.value == "first+"
    assert names(caplog)[2:] == ["auth.renewed"]


@pytest.mark.parametrize("lost", ["request", "answer"])
@pytest.mark.parametrize("operation", range(SET, len(RESTORED)))
def test_a_persons_version_below_ours_comes_up_again_after_a_failure(
    caplog: pytest.LogCaptureFixture, operation: int, lost: str
) -> None:
    world = in_memory()
    world.clock.advance(DAY_S)
    world.vault.before[SET] = lambda: world.put("better")
    moments = world.vault.before if lost == "request" else world.vault.after
    put = moments.get(operation, lambda: None)
    moments[operation] = lambda: (put(), fail()())
    assert world.exchange() == "access-1"
    assert names(caplog) == ["auth.renewed", "auth.write_back_failed"]
    world.clock.advance(3600)
    world.exchange()
    assert world.top.value == "better"
    assert names(caplog)[2:] == ["auth.renewed"]


def test_a_persons_version_below_ours_comes_up_where_ours_is_refused() -> None:
    """Who consents anew ends the sign-in before: no exchange of ours would come through any more."""
    world = in_memory()
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
