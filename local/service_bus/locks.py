"""The deliveries that are under way in a queue, by lock token, and when the first of their locks will run out."""

from dataclasses import replace
from heapq import heappop, heappush
from uuid import UUID

from local.service_bus.message import Delivery


class Locks:
    def __init__(self) -> None:
        self._deliveries: dict[UUID, Delivery] = {}
        self._sequence_numbers: set[int] = set()
        self._ends: list[tuple[float, UUID]] = []  # a heap; it may hold locks that are settled or renewed

    def hold(self, delivery: Delivery) -> None:
        """Locks a message, or for longer."""
        self._deliveries[delivery.lock_token] = delivery
        self._sequence_numbers.add(delivery.message.sequence_number)
        heappush(self._ends, (delivery.locked_until, delivery.lock_token))

    def get(self, lock_token: UUID) -> Delivery | None:
        return self._deliveries.get(lock_token)

    def has_locked(self, sequence_number: int) -> bool:
        return sequence_number in self._sequence_numbers

    def end(self, delivery: Delivery) -> None:
        del self._deliveries[delivery.lock_token]
        self._sequence_numbers.remove(delivery.message.sequence_number)

    def run_out(self) -> int:
        """Lets all of them have run out long ago; how many there are."""
        for delivery in list(self._deliveries.values()):
            self.hold(replace(delivery, locked_until=0))
        return len(self._deliveries)

    def first_to_end(self) -> Delivery | None:
        while self._ends:
            locked_until, lock_token = self._ends[0]
            delivery = self._deliveries.get(lock_token)
            if delivery and delivery.locked_until == locked_until:
                return delivery
            heappop(self._ends)
        return None
