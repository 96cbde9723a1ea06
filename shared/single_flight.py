"""One call at a time, whoever asks."""

import threading
from collections.abc import Callable
from concurrent.futures import Future


class SingleFlight[Result]:
    """Whoever comes while a call is under way waits for its end and shares it, good or bad."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: Future[Result] | None = None

    def run(self, call: Callable[[], Result]) -> Result:
        """The call's result. Raises what it raises."""
        with self._lock:
            shared = self._running
            if shared is None:
                own = self._running = Future()
        return shared.result() if shared else self._run(call, own)

    def _run(self, call: Callable[[], Result], own: "Future[Result]") -> Result:
        try:
            result = call()
        except BaseException as error:
            self._end()
            own.set_exception(error)
            raise
        self._end()
        own.set_result(result)
        return result

    def _end(self) -> None:
        with self._lock:
            self._running = None
