"""All outcomes so far, each with the conditions of its own run, as one JSON document."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from bench.figures import Cell, Curve, Figure, Outcome, Plot, Row
from bench.provenance import Provenance


@dataclass(frozen=True)
class Result:
    """`runs` and `scale`: the options that it was measured with."""

    outcome: Outcome
    provenance: Provenance
    runs: int
    scale: float

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        outcome = _outcome(document["outcome"])
        return cls(outcome, Provenance(**document["provenance"]), document["runs"], document["scale"])


def read(file: Path) -> list[Result]:
    """By number; none where there is no file yet."""
    if not file.exists():
        return []
    return [Result.from_document(document) for document in json.loads(file.read_text())["results"]]


def write(file: Path, results: list[Result]) -> None:
    """In one step: an interruption leaves the old file or the new one."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps({"results": [asdict(result) for result in results]}, indent=1) + "\n")
    new.replace(file)


def merged(before: list[Result], new: Result) -> list[Result]:
    """By number, the new one in the place of an earlier one of its number."""
    others = [result for result in before if result.outcome.number != new.outcome.number]
    return sorted([*others, new], key=lambda result: result.outcome.number)


def _outcome(document: Mapping[str, Any]) -> Outcome:
    return Outcome(
        number=document["number"],
        title=document["title"],
        rows=tuple(_row(row) for row in document["rows"]),
        notes=tuple(document["notes"]),
        plots=tuple(_plot(plot) for plot in document["plots"]),
    )


def _row(document: Mapping[str, Any]) -> Row:
    cells = {name: _cell(document[name]) for name in ("limit", "textbook", "app")}
    return Row(document["measured"], **cells, goal=document["goal"], met=document["met"])


def _cell(document: Any) -> Cell:
    if isinstance(document, dict):
        return Figure(tuple(document["values"]), document["unit"])
    return None if document is None else str(document)


def _plot(document: Mapping[str, Any]) -> Plot:
    curves = tuple(Curve(curve["name"], tuple((x, y) for x, y in curve["points"])) for curve in document["curves"])
    return Plot(document["title"], document["x"], document["y"], curves, document["log"])
