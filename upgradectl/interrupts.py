"""Ctrl-C where a step must not be broken off."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def between_steps() -> Iterator[Callable[[], bool]]:
    """Gives what says, between two steps, whether it is over. A second Ctrl-C interrupts at once.

    To be used in the main thread.

    Raises:
        KeyboardInterrupt: in the end, where it is over.
    """
    asked = False

    def heed(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  what a signal handler is given
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    before = signal.signal(signal.SIGINT, heed)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)
    if asked:
        raise KeyboardInterrupt
