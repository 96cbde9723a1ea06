"""Dead letters that are wanted no more: removed, after their bodies were written to files."""

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from upgradectl.dead_letter_queue import DeadLetter, DeadLetterQueue
from upgradectl.dead_letters import Fate, Outcome, not_taken
from upgradectl.errors import CommandError


@dataclass(frozen=True)
class Discarding:
    """`folder`: where the bodies go; made where it is missing."""

    letters: DeadLetterQueue
    folder: Path

    def discard(self, numbers: Collection[int], is_over: Callable[[], bool]) -> Iterator[Outcome]:
        """Where it `is_over`, those that it did not come to are left out.

        Raises:
            CommandError: a body cannot be written; its dead letter stays.
        """
        left = dict.fromkeys(numbers)
        with closing(self.letters.take(numbers, is_over)) as batches:
            for batch in batches:
                for letter in batch:
                    yield self._discard(letter)
                    del left[letter.number]
                    if is_over():
                        return
        if not is_over():
            yield from not_taken(self.letters, left)

    def _discard(self, letter: DeadLetter) -> Outcome:
        file = kept_body(letter, self.folder)
        if self.letters.complete(letter):
            return Outcome(letter.number, Fate.DISCARDED, str(file))
        return Outcome(letter.number, Fate.LEFT, f"its lock was lost before it could be removed; its body is in {file}")


def name_of(letter: DeadLetter, attempt: int = 1) -> str:
    """Of its body's file. The time tells apart those of a queue that was made anew, and counts from 1 again."""
    number = f"-{attempt}" if attempt > 1 else ""
    return f"dead-letter-{letter.number}-{letter.enqueued_at:%Y%m%dT%H%M%SZ}{number}.body"


def kept_body(letter: DeadLetter, folder: Path) -> Path:
    """Writes the body to a new file, which only its owner can read, and waits until the disk has it.

    A file that holds this very body is taken for it: an earlier run was broken off.

    Raises:
        CommandError: it cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for attempt in count(1):
            file = folder / name_of(letter, attempt)
            try:
                _write_new(file, letter.body)
            except FileExistsError:
                if file.read_bytes() != letter.body:
                    continue
                with file.open("rb+") as existing:
                    os.fsync(existing.fileno())
            _sync(folder)
            return file
    except OSError as error:
        raise CommandError(f"{error.filename or folder}: {error.strerror}", "nothing of it was removed") from None
    raise AssertionError("numbers do not end")


def _write_new(file: Path, body: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with open(descriptor, "wb") as writing:  # noqa: PTH123  of a descriptor
            writing.write(body)
            writing.flush()
            os.fsync(writing.fileno())
    except OSError:
        file.unlink()  # half a body is worth nothing
        raise


def _sync(folder: Path) -> None:
    """Also that the file is in it. Not everywhere can a folder be opened."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
