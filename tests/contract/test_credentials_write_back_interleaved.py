"""Two persons' versions, or several processes of the app, in any order: the newest person's version ends on top."""

import itertools
import random
import threading
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest

from local import vault
from shared.credentials import Credentials
from tests.contract.write_back import DAY_S, LIST, RESTORED, SET, EverySignIn, Interrupted, OneToken, in_memory


@pytest.mark.parametrize("first", range(SET, len(RESTORED) + 1))
@pytest.mark.parametrize("apart_s", [0, 1])
@pytest.mark.parametrize("ids", [itertools.count(), itertools.count(-1, -1)], ids=["ascending ids", "descending ids"])
def test_of_two_versions_the_newer_one_ends_on_top(
    monkeypatch: pytest.MonkeyPatch, first: int, apart_s: int, ids: Iterator[int]
) -> None:
    monkeypatch.setattr(vault, "uuid4", lambda: UUID(int=next(ids) % 2**128))
    # Both before the first look at the versions and within one second: nobody can tell which is the newer one.
    begin = first if apart_s else max(first, LIST + 1)
    for second in range(begin, len(RESTORED) + 4):
        world = in_memory()
        world.clock.advance(DAY_S)
        _put_two(world, first, second, apart_s)
        world.exchange()
        last = [world.vault.before[n] for n in sorted(world.vault.before) if n >= len(world.vault.operations)]
        for put in last:
            put()
        assert world.top.value == "newer", second


def _put_two(world: OneToken, first: int, second: int, apart_s: int) -> None:
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


def _instance(world: OneToken) -> Actor:
    """Another process of the app."""
    own = Interrupted(world.inner)

    def work(pause: Callable[[], None]) -> object:
        own.before_each = pause
        return Credentials(own, EverySignIn(), world.clock, world.settings).get_token()

    return Actor(work)


def _person(world: OneToken, values: list[str]) -> Actor:
    def work(pause: Callable[[], None]) -> None:
        for value in values:
            pause()
            world.clock.advance(value != values[0])
            world.put(value)

    return Actor(work)


@pytest.mark.parametrize("values", [["better"], ["better", "newer"]], ids=["one version", "two versions"])
@pytest.mark.parametrize("instances", [2, 3])
def test_with_several_instances_in_any_order_the_persons_version_ends_on_top(instances: int, values: list[str]) -> None:
    buried = 0
    for seed in range(250):
        world = in_memory()
        world.clock.advance(DAY_S)
        chance = random.Random(seed)
        actors = [_person(world, values), *(_instance(world) for _ in range(instances))]
        while alive := [actor for actor in actors if not actor.done]:
            chance.choice(alive).step()
        assert [actor.error for actor in actors] == [None] * len(actors)
        assert world.top.value == values[-1], seed
        buried += world.top.tags != {}
    assert buried > 10, "the orders in which the app writes over the person's version are among them"
