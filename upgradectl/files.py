"""Where an export goes: a file that is there as a whole or not at all, or standard output."""

import io
import os
import stat
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from upgradectl.errors import CommandError, ExitCode


def private(path: str, flags: int) -> int:
    """An opener: a file that it makes, only its owner can read."""
    return os.open(path, flags, 0o600)


@contextmanager
def replaced(path: Path) -> Iterator[TextIO]:
    """Written beside `path` under another name, and renamed when all is there: until then the old file stays.

    A new file is its owner's alone, for it names customers; one that was there keeps its mode.

    Raises:
        CommandError: it cannot be written.
    """
    if path.exists() and not path.is_file():
        raise CommandError(f"{path} is no file", "name one that may be replaced", code=ExitCode.USAGE)
    target = path.resolve()  # a link stays one
    beside = target.with_name(f".{target.name[:200]}.{uuid.uuid4().hex}")
    try:
        with open(beside, "x", encoding="utf-8", newline="", opener=private) as file:
            if target.exists():
                beside.chmod(stat.S_IMODE(target.stat().st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror or error}") from None
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def standard_output() -> Iterator[TextIO]:
    """As UTF-8, whatever the terminal's encoding. A reader that has seen enough (`| head`) ends it in silence."""
    text = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="", write_through=False)
    try:
        yield text
        text.flush()
    except BrokenPipeError:
        # What is left in the buffers would meet the same error when the interpreter flushes them at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        text.detach()
