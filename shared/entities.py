"""Models as table entities and back (columns: docs/tables.md). Pure.

Source: "Understanding the Table service data model" for the limits of keys and values.
"""

import json
import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

from shared.models import CensusRow, GateState, InFlightUpgrade, UpgradeResult
from shared.verdicts import has_failed

OPEN = "open"  # the one partition of the rows in flight
_MAX_TEXT = 4096
# A text column holds 32,768 UTF-16 units, an entity 1 MiB: of 14 columns, with room left for the others.
_CHUNK, _CHUNKS = 32_000, 14


def escaped(request_id: str) -> str:
    """A request id as part of a key: every character but letters, digits, `.`, `_`, `-` as `~` and two hex digits.

    Not percent-encoded: the service decodes a key twice.
    """
    return re.sub(r"[^A-Za-z0-9._-]", lambda match: f"~{ord(match[0]):02x}", request_id)


def in_flight_key(row: InFlightUpgrade) -> tuple[str, str]:
    return OPEN, row.key


def result_key(result: UpgradeResult) -> tuple[str, str]:
    return result.customer_id, f"{result.product_family.lower()}|{escaped(result.request_id)}"


def entity(key: tuple[str, str], columns: Mapping[str, Any]) -> dict[str, Any]:
    return {"PartitionKey": key[0], "RowKey": key[1], **columns}


def etag(entity: Mapping[str, Any]) -> str:
    return str(entity.metadata["etag"])  # type: ignore[attr-defined]  # TableEntity carries it beside its columns


def columns(row: Any, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """A model's fields as columns; None leaves the column out."""
    values = {f.column: getattr(row, f.name) for f in _FIELDS[type(row)] if f.name not in without}
    return {column: _stored(value) for column, value in values.items() if value is not None}


def _stored(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return value[:_MAX_TEXT] if isinstance(value, str) else value


def from_entity[Row: (InFlightUpgrade, CensusRow, UpgradeResult, GateState)](
    model: type[Row], entity: Mapping[str, Any], **given: Any
) -> Row:
    """A model from an entity. Columns that the model does not know are left out."""
    values = {f.name: f.load(entity[f.column]) for f in _FIELDS[model] if f.column in entity}
    return model(**(values | given), etag=etag(entity))


def columns_of(model: Any) -> list[str]:
    """The columns that a model's fields are read from, for a query that asks for no others."""
    return [field.column for field in _FIELDS[model]]


@dataclass(frozen=True, slots=True)
class _Field:
    """One field of a model, its column, and what makes the one's value from the other's."""

    name: str
    column: str
    load: Callable[[Any], Any]


def _fields_of(model: Any) -> tuple[_Field, ...]:
    hints = get_type_hints(model)
    return tuple(_Field(f.name, _column(f.name), _loader(hints[f.name])) for f in fields(model) if f.name != "etag")


def _column(field: str) -> str:
    first, *rest = field.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _loader(hint: Any) -> Callable[[Any], Any]:
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    kind = next(kind for kind in kinds if kind is not type(None))
    return kind if isinstance(kind, type) and issubclass(kind, Enum) else _plain


def _plain(value: Any) -> Any:
    """Without what the SDK's own instants carry besides."""
    if isinstance(value, datetime):
        return datetime.fromtimestamp(value.timestamp(), UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    return value


# Found once: to ask a model about its fields for each row takes longer than to read the row.
_FIELDS: Mapping[Any, tuple[_Field, ...]] = {
    model: _fields_of(model) for model in (InFlightUpgrade, CensusRow, UpgradeResult, GateState)
}


def result_columns(result: UpgradeResult) -> dict[str, Any]:
    """With the line items as JSON over several columns; failed ones are kept first where not all fit."""
    found = columns(result, without=("line_items", "line_items_omitted"))
    text, omitted = _line_items_text(result.line_items)
    for number, start in enumerate(range(0, len(text), _CHUNK), start=1):
        found["lineItems" + (str(number) if number > 1 else "")] = text[start : start + _CHUNK]
    if omitted:
        found["lineItemsOmitted"] = omitted
    return found


def _line_items_text(items: tuple[Mapping[str, Any], ...]) -> tuple[str, int]:
    texts = [json.dumps(item, separators=(",", ":")) for item in items]
    room = _CHUNK * _CHUNKS - len("[]")
    if sum(len(text) + 1 for text in texts) > room:
        failed_first = sorted(zip(items, texts, strict=True), key=lambda pair: not has_failed(pair[0]))
        texts = list(_fitting([text for _, text in failed_first], room))
    return f"[{','.join(texts)}]" if items else "", len(items) - len(texts)


def _fitting(texts: Iterable[str], room: int) -> Iterator[str]:
    for text in texts:
        room -= len(text) + 1
        if room < 0:
            return
        yield text


def result_from_entity(entity: Mapping[str, Any]) -> UpgradeResult:
    names = ["lineItems", *(f"lineItems{number}" for number in range(2, _CHUNKS + 1))]
    text = "".join(entity.get(name, "") for name in names)
    return from_entity(UpgradeResult, entity, line_items=tuple(json.loads(text)) if text else ())
