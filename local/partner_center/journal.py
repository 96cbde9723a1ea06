"""The events that all state of the fake is made of: applied as they are recorded, and replayed after a restart.

One JSON line per event, written with one system call before it is applied: what a client can have seen survives
SIGKILL.
"""

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

type Event = Mapping[str, Any]
type Apply = Callable[[Event], None]


class Journal:
    """`on` says who applies a kind of event; then `load`; then `record`. `lock` guards the state of all of them."""

    def __init__(self, path: Path | None = None) -> None:
        self.lock = threading.RLock()
        self._path = path
        self._file = path.open("ab", buffering=0) if path else None
        self._appliers: defaultdict[str, list[Apply]] = defaultdict(list)

    def on(self, kind: str, apply: Apply) -> None:
        self._appliers[kind].append(apply)

    def record(self, kind: str, /, **event: object) -> None:
        """Writes and applies one event; its values are plain JSON."""
        with self.lock:
            if self._file:
                self._file.write(json.dumps([kind, event]).encode() + b"\n")
            self._apply(kind, event)

    def load(self) -> None:
        """Applies what earlier processes recorded; a last line that a kill cut short is dropped."""
        if not self._path or not self._file:
            return
        whole = 0
        for line in self._path.read_bytes().splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            self._apply(*json.loads(line))
            whole += len(line)
        self._file.truncate(whole)

    def close(self) -> None:
        if self._file:
            self._file.close()

    def _apply(self, kind: str, event: Event) -> None:
        for apply in self._appliers[kind]:
            apply(event)
