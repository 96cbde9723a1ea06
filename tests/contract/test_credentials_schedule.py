"""The exchange that nobody asks for: when it is due, what it tells of the token's age, and that a failed one waits."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from shared.credentials import Credentials
from shared.errors import TokenRefused, TokenUnavailable
from tests.contract.write_back import DAY_S, fail, in_memory


def test_nothing_is_exchanged_before_it_is_due() -> None:
    world = in_memory()
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


@pytest.mark.parametrize("look", [Credentials.renew_if_due, Credentials.get_token])
def test_the_age_is_known_after_a_look_or_an_exchange_and_after_a_write_back(
    look: Callable[[Credentials], object],
) -> None:
    world = in_memory()
    assert world.credentials.refresh_token_age_d is None
    world.clock.advance(DAY_S / 2)
    look(world.credentials)
    assert world.credentials.refresh_token_age_d == 0.5
    world.clock.advance(DAY_S / 2)
    world.credentials.renew_if_due()
    assert world.credentials.refresh_token_age_d == 0


def test_a_look_alone_does_not_change_whose_sign_in_the_token_is() -> None:
    world = in_memory()
    used = world.top.version
    world.exchange()
    world.put("better")
    world.credentials.renew_if_due()
    assert world.credentials.sign_in == used
    world.exchange()
    assert world.credentials.sign_in == world.top.version


@pytest.mark.parametrize("trouble", ["vault", "exchange unavailable", "exchange refused", "no new refresh token"])
def test_an_attempt_that_failed_or_wrote_nothing_waits(trouble: str) -> None:
    world = in_memory()
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
