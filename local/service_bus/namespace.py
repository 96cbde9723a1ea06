"""The namespace: its queues, their dead-letter queues, and which address is what."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from urllib.parse import urlsplit

from local.amqp.errors import NOT_ALLOWED, NOT_FOUND, UNAUTHORIZED_ACCESS, LinkError
from local.amqp.nodes import SourceNode, TargetNode
from local.amqp.performatives import Attach, Source
from local.amqp.request_response import RequestTarget, ResponseSource
from local.service_bus.journal import Journal, QueueState
from local.service_bus.management import operate, put_token
from local.service_bus.message import Change
from local.service_bus.queue import DEAD_LETTER_SUFFIX, Queue, QueueSettings
from local.service_bus.queue_node import QueueNode, Timer

LISTEN, SEND = "Listen", "Send"
_CBS = "$cbs"
_MANAGEMENT_SUFFIX = "/$management"
_SESSION_FILTER = "com.microsoft:session-filter"


class Namespace:
    """`journal` None: nothing survives the process."""

    def __init__(
        self,
        queues: Mapping[str, QueueSettings],
        *,
        clock: Callable[[], float],
        call_later: Callable[[float, Callable[[], None]], Timer],
        journal: Journal | None = None,
    ) -> None:
        self._clock = clock
        self._call_later = call_later
        self._record: Callable[[Sequence[Change]], None] = journal.record if journal else lambda _: None
        self._nodes: dict[str, QueueNode] = {}
        self._withheld: set[str] = set()
        for name, settings in queues.items():
            self._add(name.lower(), settings, journal.queues if journal else {})

    def source(self, address: str, attach: Attach) -> SourceNode:
        path = _path(address)
        if path == _CBS:
            return ResponseSource()
        if path.endswith(_MANAGEMENT_SUFFIX):
            self._node(path.removesuffix(_MANAGEMENT_SUFFIX))
            return ResponseSource()
        node = self._node(path)
        self._check_claim(LISTEN)
        if isinstance(attach.source, Source) and _SESSION_FILTER in (attach.source.filter or {}):
            raise LinkError(NOT_ALLOWED, "An entity that does not require sessions has no sessionful receivers.")
        return node

    def target(self, address: str, attach: Attach) -> TargetNode:  # noqa: ARG002 - the address says it all
        path = _path(address)
        if path == _CBS:
            return RequestTarget(put_token)
        if path.endswith(_MANAGEMENT_SUFFIX):
            return RequestTarget(partial(operate, self._node(path.removesuffix(_MANAGEMENT_SUFFIX))))
        node = self._node(path)
        if path.endswith(DEAD_LETTER_SUFFIX):
            raise LinkError(NOT_ALLOWED, "Nobody sends to a dead-letter queue.")
        self._check_claim(SEND)
        return node

    def withhold(self, claim: str) -> int:
        """From now on nobody has this claim who attaches a link: `LISTEN` is a Data Receiver's, `SEND` a Data Sender's.

        How many claims are withheld.
        """
        self._withheld.add(claim)
        return len(self._withheld)

    def grant_all(self) -> int:
        """Everybody has all claims again; how many were withheld."""
        count = len(self._withheld)
        self._withheld.clear()
        return count

    def lose_locks(self) -> int:
        """Of all queues, at once; how many there were."""
        return sum(node.lose_locks() for node in self._nodes.values())

    def _check_claim(self, claim: str) -> None:
        if claim in self._withheld:
            text = f"Unauthorized access. '{claim}' claim(s) are required to perform this operation."
            raise LinkError(UNAUTHORIZED_ACCESS, text)

    def _node(self, path: str) -> QueueNode:
        try:
            return self._nodes[path]
        except KeyError:
            raise LinkError(NOT_FOUND, f"The messaging entity '{path}' could not be found.") from None

    def _add(self, name: str, settings: QueueSettings, kept: Mapping[str, QueueState]) -> None:
        dead_letters = self._queue(name + DEAD_LETTER_SUFFIX, settings, kept, None)
        queue = self._queue(name, settings, kept, dead_letters)
        dead_letter_node = QueueNode(dead_letters, clock=self._clock, call_later=self._call_later)
        node = QueueNode(queue, clock=self._clock, call_later=self._call_later, dead_letters=dead_letter_node)
        self._nodes[dead_letters.name] = dead_letter_node
        self._nodes[name] = node
        node.changed()

    def _queue(
        self, name: str, settings: QueueSettings, kept: Mapping[str, QueueState], dead_letters: Queue | None
    ) -> Queue:
        queue = Queue(name, settings, clock=self._clock, record=self._record, dead_letters=dead_letters)
        state = kept.get(name, QueueState())
        queue.restore(state.messages.values(), state.next_sequence_number)
        return queue


def _path(address: str) -> str:
    """Of an entity: clients give it with or without the namespace in front; its case does not matter."""
    path = urlsplit(address).path if "://" in address else address
    return path.strip("/").lower()
