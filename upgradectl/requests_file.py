"""Upgrade requests from a file, standard input or the command line, each held against the published contract.

JSON Lines (each line is a message's body, sent as it is) or CSV (RFC 4180; a header line first; columns `customerId`,
`productFamily` and `requestId`, others are ignored). Read line by line, and as often as asked for: what cannot be read
twice (standard input, a pipe) goes to a temporary file first.
"""

import csv
import io
import json
import shutil
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import BinaryIO

from shared.errors import InvalidRequest
from shared.messages import MAX_BYTES, Message, parse
from shared.models import UpgradeRequest
from upgradectl.errors import CommandError, ExitCode

STDIN = "-"
COLUMNS = ("customerId", "productFamily", "requestId")
_NAMESPACE = uuid.UUID("8d1f0a4e-52c5-5b0e-9a55-3c1d2b7f6e90")
_NO_TIME = datetime.fromtimestamp(0, UTC)
_NO_ID = "no-id"  # a message id for the contract to fall back on: known by identity, for a body may say the same
_SPOOLED = 16 * 1024 * 1024
_LONGEST_LINE = MAX_BYTES + len(b"\r\n") + 1  # longer than any body: the rest need not be read
_IS_CSV = {".csv": True, ".json": False, ".jsonl": False, ".ndjson": False}
_DELIMITERS = b",;\t"  # spreadsheets write what is usual in their country


@dataclass(frozen=True, slots=True)
class Entry:
    """One request of a file. `line`: where it begins, from 1. Either `request` is there, or `problem` says why not."""

    line: int
    body: bytes
    request: UpgradeRequest | None = None
    problem: str = ""


@dataclass(frozen=True)
class RequestsFile:
    """`name`: for people. `batch`: None where there is none. `families`: that may be asked for."""

    file: BinaryIO
    name: str
    is_csv: bool
    families: Sequence[str]
    batch: str | None

    def entries(self) -> Iterator[Entry]:
        """From the beginning, in the file's order.

        Raises:
            CommandError: the file as a whole cannot be read.
        """
        self.file.seek(0)
        return self._csv_entries() if self.is_csv else (self._entry(line, body) for line, body in self._lines())

    def _entry(self, line: int, body: bytes) -> Entry:
        try:
            request = parse(Message(body, _NO_ID, 0, _NO_TIME), self.families)
        except InvalidRequest as error:
            return Entry(line, body, problem=f"{error.where}: {error.reason}" if error.where != "$" else error.reason)
        if request.request_id is not _NO_ID:
            return Entry(line, body, request)
        if not self.batch:
            return Entry(line, body, problem="no request id: name a --batch to derive it from")
        return Entry(line, body, replace(request, request_id=derived_id(request, self.batch)))

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        for number in count(1):
            line = self.file.readline(_LONGEST_LINE)
            if not line:
                return
            _skip_rest(self.file, line)
            stripped = line.rstrip(b"\r\n")
            if stripped.strip():
                yield number, stripped

    def _csv_entries(self) -> Iterator[Entry]:
        delimiter = _delimiter(self.file)
        # A name in some other encoding, in a column that nobody reads, is no reason to refuse the file.
        text = io.TextIOWrapper(self.file, encoding="utf-8-sig", errors="surrogateescape", newline="")
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        try:
            rows = ([value.strip() for value in row] for row in reader)
            header = _header(next(filter(any, rows), []), self.name)
            first = reader.line_num + 1
            for values in rows:
                if any(values):
                    yield self._csv_entry(first, header, values)
                first = reader.line_num + 1
        except csv.Error as error:
            raise CommandError(f"{self.name}:{reader.line_num}: no CSV: {error}", code=ExitCode.USAGE) from None
        finally:
            text.detach()

    def _csv_entry(self, line: int, header: Sequence[str], values: Sequence[str]) -> Entry:
        filled = {name: value for name, value in zip(header, values, strict=False) if name in COLUMNS and value}
        body = json.dumps(filled).encode()
        if any(values[len(header) :]):  # a comma that is not quoted: what stands in which column is in doubt
            return Entry(line, body, problem="more values than the first line names")
        return self._entry(line, body)


@contextmanager
def opened(path: str, *, families: Sequence[str], batch: str | None = None) -> Iterator[RequestsFile]:
    """`path`: `-` is standard input. `batch`: without it the name of a file, but nothing for a pipe.

    Raises:
        CommandError: there is no such file.
    """
    with _open(path) as (file, is_pipe):
        name = "standard input" if path == STDIN else path
        is_csv = _IS_CSV.get(Path(path).suffix.lower(), _looks_like_csv(file))
        own_batch = None if is_pipe else Path(path).name
        yield RequestsFile(file, name, is_csv, families, batch or own_batch)


def single(
    customer_id: str, family: str, request_id: str | None, *, families: Sequence[str], batch: str | None
) -> RequestsFile:
    """One request, from the command line."""
    given = zip(COLUMNS, (customer_id, family, request_id), strict=True)
    body = json.dumps({name: value for name, value in given if value is not None}).encode()
    return RequestsFile(io.BytesIO(body), "--customer", is_csv=False, families=families, batch=batch)


def derived_id(request: UpgradeRequest, batch: str) -> str:
    """The request id of a line that has none: the same in every run, so that a second one is harmless."""
    name = f"{request.customer_id}|{request.product_family.lower()}|{batch}"
    return str(uuid.uuid5(_NAMESPACE, name.encode("utf-8", "surrogateescape")))  # a file's name may be any bytes


@contextmanager
def _open(path: str) -> Iterator[tuple[BinaryIO, bool]]:
    """The file, and whether it is a copy of what can be read only once."""
    if path == STDIN:
        with _spooled(sys.stdin.buffer) as spooled:
            yield spooled, True
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115  closed below
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", code=ExitCode.USAGE) from None
    with file:
        if file.seekable():
            yield file, False
            return
        with _spooled(file) as spooled:
            yield spooled, True


@contextmanager
def _spooled(stream: BinaryIO) -> Iterator[BinaryIO]:
    with tempfile.SpooledTemporaryFile(_SPOOLED) as spooled:
        shutil.copyfileobj(stream, spooled)
        yield spooled  # type: ignore[misc]  # it has all that is read here


def _looks_like_csv(file: BinaryIO) -> bool:
    file.seek(0)
    beginning = file.read(256).lstrip(b"\xef\xbb\xbf \t\r\n")
    return bool(beginning) and not beginning.startswith((b"{", b"["))


def _delimiter(file: BinaryIO) -> str:
    """The one that the header has most of."""
    header = file.readline(_LONGEST_LINE)
    file.seek(0)
    return chr(max(_DELIMITERS, key=header.count))


def _header(names: Sequence[str], file: str) -> Sequence[str]:
    missing = [name for name in COLUMNS[:2] if name not in names]
    if names and missing:
        raise CommandError(f"{file}: the first line names no {' and no '.join(missing)}", code=ExitCode.USAGE)
    if twice := [name for name in COLUMNS if names.count(name) > 1]:
        raise CommandError(f"{file}: the first line names {twice[0]} twice", code=ExitCode.USAGE)
    return names


def _skip_rest(file: BinaryIO, line: bytes) -> None:
    """Of a line that is too long to be held."""
    while len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
        line = file.readline(_LONGEST_LINE)
