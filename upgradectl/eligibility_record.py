"""What customers were found to be, as CSV: for people, and for a second run that goes on where one stopped."""

import csv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from upgradectl.eligibility import Checked, Subject
from upgradectl.errors import CommandError, ExitCode
from upgradectl.export import harmless
from upgradectl.files import private

COLUMNS = ("customerId", "productFamily", "eligible", "upgradeId", "reason")
WORDS = {True: "yes", False: "no", None: "unknown"}
_ANSWERS = {"yes": True, "no": False}


class Record:
    """Grows by a line with each answer. `answers`: what an earlier run has left; who got none is asked again."""

    def __init__(self, file: TextIO, answers: dict[Subject, Checked]) -> None:
        self._writer = csv.writer(file, lineterminator="\n")
        self._file = file
        self.answers = answers

    def add(self, checked: Checked) -> None:
        self._writer.writerow(_cells(checked))
        self._file.flush()


@contextmanager
def opened(path: Path) -> Iterator[Record]:
    """
    Raises:
        CommandError: it cannot be written, or holds something else.
    """
    try:
        answers = {}
        if path.exists():
            answers = _read(path)
            _cut_torn_line(path)
        file = open(path, "a", encoding="utf-8", newline="", opener=private)  # noqa: SIM115  closed below
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", code=ExitCode.USAGE) from None
    with file:
        if not file.tell():
            file.write(",".join(COLUMNS) + "\n")
        yield Record(file, answers)


def write_csv(found: Iterable[Checked], file: TextIO) -> None:
    """With a header line."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(map(_cells, found))


def _cells(checked: Checked) -> tuple[str, ...]:
    subject = checked.subject
    return (
        *(subject.customer_id, subject.product_family, WORDS[checked.is_eligible]),
        *(checked.upgrade_id or "", harmless(checked.reason)),
    )


def _read(path: Path) -> dict[Subject, Checked]:
    """Line by line, each read for itself: a quote that was never closed spoils no other."""
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        header = file.readline()
        if header and header.rstrip("\r\n") != ",".join(COLUMNS):
            raise CommandError(f"{path} is no record of an earlier check", "name a new file", code=ExitCode.USAGE)
        found = (_checked(cells) for line in file if line.endswith("\n") for cells in csv.reader([line]))
        return {checked.subject: checked for checked in found if checked}


def _checked(cells: list[str]) -> Checked | None:
    if len(cells) != len(COLUMNS) or cells[2] not in _ANSWERS:
        return None
    customer_id, family, eligible, upgrade_id, reason = cells
    return Checked(Subject(customer_id, family), _ANSWERS[eligible], upgrade_id or None, reason)


def _cut_torn_line(path: Path) -> None:
    """What a killed run has left of its last one."""
    with path.open("r+b") as file:
        file.truncate(sum(len(line) for line in file if line.endswith(b"\n")))
