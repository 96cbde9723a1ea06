"""The queries of alerts and workbook: their texts, and their rows over log lines that the app wrote.

They run on DuckDB, translated by duckdb-kql, which refuses what it cannot translate. The rows are those of the table
AppTraces (docs/telemetry.md), as the local functions host writes them.
"""

import functools
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb_kql

from local.component import REPOSITORY

FOLDER = REPOSITORY / "infra" / "queries"
APP_TRACES = {
    "TimeGenerated": "datetime",
    "Message": "string",
    "SeverityLevel": "int",
    "OperationName": "string",
    "OperationId": "string",
    "ParentId": "string",
    "AppRoleName": "string",
    "AppRoleInstance": "string",
    "Properties": "dynamic",
    "_ResourceId": "string",
    "Type": "string",
}
_DUCKDB_TYPES = {"datetime": "TIMESTAMP", "string": "VARCHAR", "int": "INTEGER", "dynamic": "JSON"}


@functools.cache
def texts() -> dict[str, str]:
    """All queries by their names: of alerts (`gate-stuck`), and others in folders (`workbook/results`)."""
    paths = sorted(FOLDER.rglob("*.kql"))
    return {path.relative_to(FOLDER).with_suffix("").as_posix(): path.read_text() for path in paths}


@functools.cache
def alerts() -> dict[str, timedelta]:
    """The log alerts by name, each with the window of log lines that its rule looks at."""
    rules = json.loads((FOLDER.parent / "alerts.json").read_text())
    return {rule["name"]: _duration(rule["windowSize"]) for rule in rules}


class Traces:
    """The table AppTraces, which shows the rows that a rule sees: those of its window."""

    def __init__(self) -> None:
        self._database = duckdb_kql.connect()
        columns = ", ".join(f"{name} {_DUCKDB_TYPES[kind]}" for name, kind in APP_TRACES.items())
        self._database.execute(f"CREATE TABLE Written ({columns})")
        self._database.execute("CREATE TABLE Seen (since TIMESTAMP, until TIMESTAMP)")
        self._database.execute(
            "CREATE VIEW AppTraces AS SELECT Written.* FROM Written, Seen"
            " WHERE TimeGenerated > since AND TimeGenerated <= until"
        )
        self._prepared: dict[str, str] = {}

    def load(self, lines: Path) -> None:
        """Instead of what was there: the log lines of a file, one JSON object each."""
        columns = ", ".join(f"'{name}': '{_DUCKDB_TYPES[kind]}'" for name, kind in APP_TRACES.items())
        read = f"read_json('{lines}', format='newline_delimited', columns={{{columns}}})"
        self._database.execute("DELETE FROM Written")
        self._database.execute(f"INSERT INTO Written SELECT * FROM {read}")

    def run(self, query: str, *, until: datetime, window: timedelta) -> list[dict[str, Any]]:
        """The query's rows over the lines of the `window` before `until`."""
        bounds = [(until - window).replace(tzinfo=None), until.replace(tzinfo=None)]
        self._database.execute("DELETE FROM Seen")
        self._database.execute("INSERT INTO Seen VALUES (?, ?)", bounds)
        answer = self._database.execute(f"EXECUTE {self._prepare(query)}")
        names = [column[0] for column in answer.description or ()]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]

    def _prepare(self, query: str) -> str:
        """To translate and plan one takes many times as long as to run it."""
        if query not in self._prepared:
            name = f"query_{len(self._prepared)}"
            self._database.execute(f"PREPARE {name} AS {duckdb_kql.to_sql(query)}")
            self._prepared[query] = name
        return self._prepared[query]


@functools.cache
def traces() -> Traces:
    """The one of this process."""
    return Traces()


def _duration(text: str) -> timedelta:
    """Of the ISO 8601 durations those that a rule may have: `PT15M`, `PT2H`, `P1D`."""
    units = {"M": "minutes", "H": "hours", "D": "days"}
    return timedelta(**{units[text[-1]]: int(text.strip("PTMHD"))})
