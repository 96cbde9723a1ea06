"""A result of any length, printed row by row as it comes: as a table, or as a JSON array."""

import json
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rich.text import Text

from upgradectl.instants import as_text
from upgradectl.output import Cell, Output


class Listing:
    """To be used in a with statement, so that the array ends whatever happens.

    `columns`: each one's name and width, known before its cells are; a longer cell moves those after it.
    """

    def __init__(self, output: Output, columns: Sequence[tuple[str, int]]) -> None:
        self.count = 0
        self._output = output
        self._columns = columns
        self._last = ""  # the comma after it depends on what follows

    def __enter__(self) -> Self:
        if self._output.as_json:
            self._output.line("[")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._output.as_json:
            if self._last:
                self._output.line(self._last)
            self._output.line("]")

    def add(self, cells: Sequence[Cell], document: Mapping[str, Any]) -> None:
        """A row, for people and for machines."""
        if self._output.as_json:
            if self._last:
                self._output.line(f"{self._last},")
            self._last = f"  {json.dumps(document, default=as_text)}"
        else:
            if not self.count:
                self._line([Text(name.upper(), style="bold") for name, _ in self._columns])
            self._line(cells)
        self.count += 1

    def _line(self, cells: Sequence[Cell]) -> None:
        padded = [cell.copy() if isinstance(cell, Text) else Text(cell) for cell in cells]
        for cell, (_, width) in zip(padded[:-1], self._columns, strict=False):
            cell.pad_right(max(width - cell.cell_len, 0))
        self._output.line(Text("  ").join(padded))
