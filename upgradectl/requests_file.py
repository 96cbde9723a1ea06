"""Upgrade requests from a file, standard input or the command line, each held against the published contract.

JSON Lines (each line is a message's body, sent as it is) or CSV (a header line; columns `customerId`, `productFamily`
and `requestId`). Read line by line, and as often as asked for: standard input goes to a temporary file first.
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
from pathlib import Path
from typing import BinaryIO

from shared.errors import InvalidRequest
from shared.messages import Message, parse
from shared.models import UpgradeRequest
from upgradectl.errors import CommandError, ExitCode

STDIN = "-"
COLUMNS = ("customerId", "productFamily", "requestId")
_NAMESPACE = uuid.UUID("8d1f0a4e-52c5-5b0e-9a55-3c1d2b7f6e90")
_NO_TIME = datetime.fromtimestamp(0, UTC)
_NO_ID = "seq-0-0"  # what the contract makes of a message without any id, numbered 0 and of no time
_SPOOLED = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One request of a file. `line`: where it begins, from 1. Either `request` is there, or `problem` says why not."""

    line: int
    body: bytes
    request: UpgradeRequest | None = None
    problem: str = ""


@dataclass(frozen=True)
class RequestsFile:
    """`name`: for people, and the default of `batch`; None where there is none. `families`: that may be asked for."""

    file: BinaryIO
    name: str | None
    is_csv: bool
    families: Sequence[str]
    batch: str | None

    def entries(self) -> Iterator[Entry]:
        """From the beginning, in the file's order.

        Raises:
            CommandError: the file as a whole cannot be read.
        """
        self.file.seek(0)
        for line, body in self._csv_bodies() if self.is_csv else self._lines():
            yield self._entry(line, body)

    def _entry(self, line: int, body: bytes) -> Entry:
        try:
            request = parse(Message(body, None, 0, _NO_TIME), self.families)
        except InvalidRequest as error:
            return Entry(line, body, problem=f"{error.where}: {error.reason}" if error.where != "$" else error.reason)
        if request.request_id != _NO_ID:
            return Entry(line, body, request)
        if not self.batch:
            return Entry(line, body, problem="no request id: name a --batch to derive it from")
        return Entry(line, body, replace(request, request_id=derived_id(request, self.batch)))

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        for number, line in enumerate(self.file, start=1):
            stripped = line.rstrip(b"\r\n")
            if stripped.strip():
                yield number, stripped

    def _csv_bodies(self) -> Iterator[tuple[int, bytes]]:
        text = io.TextIOWrapper(self.file, encoding="utf-8-sig", newline="")
        try:
            reader = csv.DictReader(text, strict=True)
            _check_header(reader.fieldnames)
            first = reader.line_num + 1
            for row in reader:
                filled = {name: value for name, value in row.items() if name in COLUMNS and value}
                yield first, json.dumps(filled).encode()
                first = reader.line_num + 1
        except UnicodeDecodeError as error:
            raise CommandError(f"{self.name} is not UTF-8 ({error.reason})", code=ExitCode.USAGE) from None
        except csv.Error as error:
            raise CommandError(f"{self.name} is no CSV: {error}", code=ExitCode.USAGE) from None
        finally:
            text.detach()


@contextmanager
def opened(path: str, *, families: Sequence[str], batch: str | None = None) -> Iterator[RequestsFile]:
    """`path`: `-` is standard input. `batch`: without it the file's name.

    Raises:
        CommandError: there is no such file.
    """
    with _open(path) as file:
        name = None if path == STDIN else Path(path).name
        is_csv = (
            path.lower().endswith(".csv")
            if name
            else not file.read(256).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")
        )
        yield RequestsFile(file, name or "standard input", is_csv, families, batch or name)


def single(
    customer_id: str, family: str, request_id: str | None, *, families: Sequence[str], batch: str | None
) -> RequestsFile:
    """One request, from the command line."""
    given = zip(COLUMNS, (customer_id, family, request_id), strict=True)
    body = json.dumps({name: value for name, value in given if value is not None}).encode()
    return RequestsFile(io.BytesIO(body), "the command line", is_csv=False, families=families, batch=batch)


def derived_id(request: UpgradeRequest, batch: str) -> str:
    """The request id of a line that has none: the same in every run, so that a second one is harmless."""
    return str(uuid.uuid5(_NAMESPACE, f"{request.customer_id}|{request.product_family.lower()}|{batch}"))


@contextmanager
def _open(path: str) -> Iterator[BinaryIO]:
    if path == STDIN:
        with tempfile.SpooledTemporaryFile(_SPOOLED) as spooled:
            shutil.copyfileobj(sys.stdin.buffer, spooled)
            spooled.seek(0)
            yield spooled  # type: ignore[misc]  # it has all that is read here
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115  closed below
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", code=ExitCode.USAGE) from None
    with file:
        yield file


def _check_header(names: Sequence[str] | None) -> None:
    missing = [name for name in COLUMNS[:2] if name not in (names or ())]
    if missing:
        raise CommandError(f"the CSV's first line names no {' and no '.join(missing)}", code=ExitCode.USAGE)
