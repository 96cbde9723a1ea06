"""The app without one of its rules: what shows that the campaign can fail."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.component import REPOSITORY
from scripts.package import app_files


@dataclass(frozen=True)
class Change:
    """In `file`, `old` (which occurs once) becomes `new`."""

    file: str
    old: str
    new: str


# What docs/architecture.md calls for -> the app without it.
RULES: Mapping[str, tuple[Change, ...]] = {
    "conditional-write": (
        Change(
            "shared/upgrade_store.py",
            """                    etag=etag,
                    match_condition=MatchConditions.IfNotModified,
                )
                return""",
            """                )
                return""",
        ),
        Change(
            "shared/upgrade_store.py",
            "delete_entity(partition, key, etag=row.etag, match_condition=MatchConditions.IfNotModified)",
            "delete_entity(partition, key)",
        ),
    ),
    "lease": (
        Change(
            "shared/upgrades.py",
            "next_attempt_at=now + lease,",
            "next_attempt_at=now,",
        ),
        Change(
            "shared/upgrades.py",
            "replace(row, next_attempt_at=lease_ends_at, outcome_unknown=True)",
            "replace(row, outcome_unknown=True)",
        ),
    ),
    "kept-request-id": (
        Change(
            "shared/outcomes.py",
            """        case errors.OutcomeUnknown():
            set_back(ports, _attempted(lease), error)""",
            """        case errors.OutcomeUnknown():
            set_back(ports, _renewed(ports, lease), error)""",
        ),
    ),
    "look-before-duplicate": (
        Change(
            "shared/upgrades.py",
            "    if verdict and verdict.is_verdict:\n        drop(ports, found)",
            "    if verdict and verdict.is_verdict and not found:\n        drop(ports, found)",
        ),
    ),
    "write-back-condition": (
        Change(
            "shared/credentials.py",
            "        if self._vault.get_secret(name).version != used:\n            return\n",
            "",
        ),
        Change(
            "shared/credentials.py",
            "        self._vault.set_secret(name, new_value)\n        self._put_persons_on_top()\n",
            "        self._vault.set_secret(name, new_value)\n",
        ),
    ),
    "gate": (
        Change(
            "shared/gate.py",
            "            case Position.CLOSED:\n                return False",
            "            case Position.CLOSED:\n                return True",
        ),
    ),
    "hold": (
        Change("CreateUpgrade/__init__.py", "until = time.monotonic() + _hold_s()", "until = time.monotonic()"),
    ),
}  # fmt: skip


def app_without(rule: str, folder: Path) -> Path:
    """A copy of the app in `folder`, without the rule.

    Raises:
        KeyError: there is no such rule.
        ValueError: the app is written otherwise by now, so the change has to be, too.
    """
    changes = RULES[rule]
    shutil.rmtree(folder, ignore_errors=True)
    for file in app_files(REPOSITORY):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / file, folder / file)
    for change in changes:
        _apply(change, folder / change.file)
    return folder


def _apply(change: Change, path: Path) -> None:
    text = path.read_text()
    if text.count(change.old) != 1:
        raise ValueError(f"{change.file}: {change.old!r} occurs {text.count(change.old)} times")
    path.write_text(text.replace(change.old, change.new))
