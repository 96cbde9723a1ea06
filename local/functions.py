"""The functions as processes of their own, as on Flex Consumption."""

import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from local.component import REPOSITORY, start


class Function:
    """One process of a function, and the log lines that it writes.

    `index` tells the processes apart; one that takes the place of another goes on in its log files. `started_at`:
    seconds since 1970, just before it was started.
    """

    def __init__(self, name: str, index: int, *, app: Path, settings: Mapping[str, str], logs: Path) -> None:
        self.name = name
        self.index = index
        self.started_at = time.time()
        self.host = start(
            "local.functions_host", "--app", str(app), "--function", name,
            log=logs / f"{name}-{index}.log", env={**settings, **_import_path(app)}, timeout_s=60,
        )  # fmt: skip
        self._lines = logs / f"{name}-{index}.jsonl"
        self._reader = threading.Thread(target=self._copy, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self.host.process.pid

    def close(self) -> None:
        self.host.stop(timeout_s=40)
        self._reader.join(5)

    def _copy(self) -> None:
        """From the host's standard output, which would fill up, to a file."""
        assert self.host.process.stdout
        with self._lines.open("a") as lines:
            for line in self.host.process.stdout:
                lines.write(line)
                lines.flush()


def _import_path(app: Path) -> Mapping[str, str]:
    """The app's own `shared` comes first; without a safe path the working directory, the repository, would."""
    return {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join([str(app.resolve()), str(REPOSITORY)])}
