"""A system in memory and a watch of it, with a clock that is moved by hand."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared.models import GateState, Status, UpgradeResult
from tests.fakes import FakeClock, InMemoryStore
from tests.unit.rows import result
from upgradectl.errors import CommandError
from upgradectl.queue_depth import QueueDepth
from upgradectl.watching import Snapshot, Watch

MINUTE = timedelta(minutes=1)
EMPTY = QueueDepth(0, 0)


class Tables(InMemoryStore):
    """`errors`: what the next looks meet. `asked`: since when results were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: deque[Exception | None] = deque()
        self.gate_errors: deque[Exception] = deque()
        self.asked: list[datetime | None] = []

    def get_gate(self) -> GateState:
        if self.gate_errors:
            raise self.gate_errors.popleft()
        return super().get_gate()

    def list_all_results(self, *, since: datetime | None = None, line_items: bool = True) -> list[UpgradeResult]:
        assert not line_items
        if self.errors and (error := self.errors.popleft()):
            raise error
        self.asked.append(since)
        return [one for one in self.results.values() if since is None or one.finished_at >= since]


@dataclass
class Scene:
    """A system, and a watch of it. `meanwhile`: what happens in each pause, while there is any."""

    clock: FakeClock = field(default_factory=FakeClock)
    tables: Tables = field(default_factory=Tables)
    queue: deque[QueueDepth | CommandError] = field(default_factory=deque)
    meanwhile: deque[Callable[[], object]] = field(default_factory=deque)
    watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self.watch = Watch(self.tables, self._look_at_queue, self.clock, timedelta(hours=72))

    def look(self, after_s: float = 5) -> Snapshot:
        self.clock.advance(after_s)
        return self.watch.look()

    def add(self, customer_id: str, status: Status, **changed: Any) -> None:
        given = {"customer_id": customer_id, "status": status, "finished_at": self.clock.now(), **changed}
        self.tables.insert_result(result(**given))

    def _look_at_queue(self) -> QueueDepth:
        found = self.queue.popleft() if self.queue else EMPTY
        if isinstance(found, CommandError):
            raise found
        return found


def watched(scene: Scene, *, every_s: float = 5, timeout_s: float = math.inf) -> list[Snapshot]:
    """What happens meanwhile comes with the pauses."""
    found = []
    for snapshot in scene.watch.snapshots(every_s=every_s, timeout_s=timeout_s):
        found.append(snapshot)
        if scene.meanwhile:
            scene.meanwhile.popleft()()
    return found
