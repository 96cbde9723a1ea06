"""What a command prints: results to standard output, as a table or as JSON; everything else to standard error."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from upgradectl.errors import CommandError, ExitCode
from upgradectl.instants import as_text

type Cell = str | Text


class _Console(Console):
    """A reader that has seen enough (`| head`) ends the command in silence; one of notes alone ends nothing."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        # What is left in the buffers would meet the same error when the interpreter flushes them at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())
        if not self.stderr:
            raise SystemExit(ExitCode.OK)


class Output:
    """Colours appear on a terminal only, and never with NO_COLOR (rich sees to both).

    `system`: which one is about to be changed, for people.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.system = ""
        # Lines are not broken here: a terminal does that itself, and a script wants them whole.
        self._results = _Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._notes = _Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)

    def json(self, document: object) -> None:
        """Instants become ISO 8601."""
        self._results.out(json.dumps(document, indent=2, default=as_text), highlight=False)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        """Columns as wide as their widest cell; the last one is not filled up."""
        lines = [
            [Text(name.upper(), style="bold") for name in columns],
            *([_text(cell) for cell in row] for row in rows),
        ]
        widths = [max(line[place].cell_len for line in lines) for place in range(len(columns))]
        for line in lines:
            for cell, width in zip(line[:-1], widths, strict=False):
                cell.pad_right(width - cell.cell_len)
            self._results.print(Text("  ").join(line))

    def line(self, text: Cell) -> None:
        self._results.print(text)

    def note(self, text: Cell) -> None:
        """Progress, hints, prompts: nothing that a script reads."""
        self._notes.print(text)

    def note_system(self) -> None:
        """Said by each command before it changes anything."""
        if self.system:
            self.note(f"System: {self.system}")

    def warn(self, text: str) -> None:
        self._notes.print(Text.assemble(("warning: ", "yellow"), text))

    def error(self, text: str) -> None:
        self._notes.print(Text.assemble(("error: ", "bold red"), text))

    @contextmanager
    def busy(self, text: str) -> Iterator[None]:
        """Shown while it lasts, on a terminal only."""
        if not self._notes.is_terminal:
            yield
            return
        with self._notes.status(text):
            yield

    @contextmanager
    def progress(self, text: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """A bar with an estimate of the time left, on a terminal only. What it gives is called with each advance."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(
            *columns, TimeRemainingColumn(), console=self._notes, transient=True, disable=not self._notes.is_terminal
        ) as progress:
            task = progress.add_task(text, total=total)
            yield lambda count: progress.advance(task, count)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Says which system it is, and asks before something that cannot be taken back. `yes`: said in advance.

        Raises:
            CommandError: there is nobody to ask, or the answer is no.
        """
        self.note_system()
        if yes:
            return
        if not sys.stdin.isatty():
            raise CommandError("nobody is there to confirm it", "give --yes", code=ExitCode.USAGE)
        self._notes.print(f"{question} [y/N] ", end="")
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise CommandError("nothing was done")


def _text(cell: Cell) -> Text:
    return cell.copy() if isinstance(cell, Text) else Text(cell)
