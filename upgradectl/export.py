"""Results as CSV (RFC 4180, but with lines that end in a line feed), as JSON Lines or as one JSON array.

Each is written as it is read: nothing is held in memory. Columns: docs/tables.md.
"""

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TextIO

from shared.entities import columns
from shared.models import UpgradeResult
from upgradectl.instants import instant_text

COLUMNS = (
    *("customerId", "productFamily", "requestId", "status", "duplicateOf", "upgradeId", "adopted"),
    *("requestedAt", "claimedAt", "submittedAt", "finishedAt", "attempts", "polls", "serverStatus"),
    *("errorCode", "errorDescription", "lineItems", "lineItemsOmitted", "correlationId", "msRequestId"),
)
# A spreadsheet takes a cell that begins with one of these for a formula, and runs it (CWE-1236).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001  full width counts as well

type Write = Callable[[Iterable[UpgradeResult], TextIO], None]


def write_csv(results: Iterable[UpgradeResult], file: TextIO) -> None:
    """Line items as JSON in one cell; what there is not is an empty cell."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_cell(value) for value in _values(result).values()] for result in results)


def write_jsonl(results: Iterable[UpgradeResult], file: TextIO) -> None:
    """One object a line, each with all columns; what there is not is null."""
    file.writelines(f"{_json(_values(result))}\n" for result in results)


def write_json(results: Iterable[UpgradeResult], file: TextIO) -> None:
    """One array of the same objects."""
    separator = "["
    for result in results:
        file.write(f"{separator}\n{_json(_values(result))}")
        separator = ","
    file.write("[]\n" if separator == "[" else "\n]\n")


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula: one that would be has a `'` before it."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _values(result: UpgradeResult) -> dict[str, Any]:
    present: Mapping[str, Any] = {**columns(result, without=("line_items",)), "lineItems": list(result.line_items)}
    return {name: present.get(name) for name in COLUMNS}


def _cell(value: object) -> str:
    match value:
        case None | []:
            return ""
        case str():
            return harmless(value)
        case datetime():
            return instant_text(value)
    return json.dumps(value, ensure_ascii=False)


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"), default=instant_text)
