"""The machine's clock jumps: what a whole cloud on one machine cannot do, done with the core and a clock by hand.

The real use cases, gate and ticks over tables in memory, for many customers at once. The clock jumps by an hour,
forwards or backwards, between two runs: a jump while a lease is held would be a frozen process, which nobody promises
to bear.
"""

from collections.abc import Sequence
from random import Random
from uuid import UUID

from shared import errors
from shared.models import Position, Status
from shared.tick import Poller
from shared.upgrades import claim, submit_claimed
from tests.fakes import LOST_AFTER, LOST_BEFORE, PROCESSED, FakeTokens, Fate, World, request

JUMP_S = 3600
FATES: Sequence[Fate] = (
    *(PROCESSED,) * 6,
    LOST_BEFORE,
    LOST_AFTER,
    errors.Throttled(retry_after_s=40),
    errors.Unauthorized(http_status=401),
    errors.RefusedForNow(code="900130", http_status=403, understood=True),
    errors.TokenUnavailable("out"),
)


def simulate(seed: int, *, requests: int = 20, rounds: int = 60) -> list[str]:
    """One history: requests, ticks and jumps in a random order, then quiet. What is wrong in the end, in words."""
    random = Random(seed)
    world = World()
    poller = Poller(world.ports, FakeTokens())
    waiting = [request("r1", customer_id=str(UUID(int=random.getrandbits(128), version=4))) for _ in range(requests)]
    expected = list(waiting)
    for _ in range(rounds):
        world.partner_center.create_fates.extend(random.choices(FATES, k=3))
        for _ in range(min(len(waiting), random.randint(0, 2))):
            _deliver(world, waiting.pop())
        world.clock.advance(random.choice((1, 20, 200, 2000)))
        if random.random() < 0.3:
            world.clock.jump(random.choice((-JUMP_S, JUMP_S)))
        _finish_some(world, random)
        poller.tick()
    world.partner_center.create_fates.clear()
    for asked in waiting:
        _deliver(world, asked)
    _drain(world, poller)
    problems = list(world.partner_center.violations)
    problems += [f"in flight: {row}" for row in world.store.in_flight.values()]
    problems += [f"the gate is {world.store.gate.position}"] * (world.store.gate.position is not Position.OPEN)
    for asked in expected:
        problems += _judge(world, asked.customer_id)
    return problems


def _deliver(world: World, asked: object) -> None:
    lease = claim(world.ports, asked)  # type: ignore[arg-type]
    if lease:
        submit_claimed(world.ports, lease)


def _finish_some(world: World, random: Random) -> None:
    for upgrade in world.partner_center.upgrades:
        if upgrade.status == "InProgress" and random.random() < 0.3:
            upgrade.status = random.choice(("Completed", "Failed"))


def _drain(world: World, poller: Poller) -> None:
    """An hour back may have to pass again before a row is due."""
    for _ in range(200):
        for upgrade in world.partner_center.upgrades:
            if upgrade.status == "InProgress":
                upgrade.status = "Completed"
        if not world.store.in_flight and world.store.gate.position is Position.OPEN:
            return
        world.clock.advance(600)
        poller.tick()


def _judge(world: World, customer_id: str) -> list[str]:
    results = [result for result in world.store.results.values() if result.customer_id == customer_id]
    upgrades = [upgrade for upgrade in world.partner_center.upgrades if upgrade.key.startswith(customer_id)]
    if len(results) != 1:
        return [f"{customer_id}: {len(results)} results"]
    (result,) = results
    if len(upgrades) > 1:
        return [f"{customer_id}: {len(upgrades)} upgrades"]
    if result.status in (Status.REJECTED, Status.CANCELLED):
        return [f"{customer_id}: {result.status}, and an upgrade exists"] if upgrades else []
    if not upgrades or (upgrades[0].status != result.status and result.status is not Status.TIMED_OUT):
        return [f"{customer_id}: {result.status}, the truth is {upgrades and upgrades[0].status}"]
    return []
