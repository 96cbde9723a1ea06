"""The secrets of a vault and their versions, without the protocol (Key Vault's "About secrets" describes them).

Times are whole seconds, as in the vault: two versions of one second cannot be told apart by their creation.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

LONGEST_VALUE = 25_600  # bytes


class VaultError(Exception):
    """An operation that the vault refuses, with the HTTP status and the codes that it answers."""

    def __init__(self, status: int, code: str, message: str, inner_code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.inner_code = inner_code


@dataclass(frozen=True)
class SecretVersion:
    """One version of a secret. `version` is 32 hex digits; times are Unix times."""

    version: str
    value: str
    created: int
    updated: int
    enabled: bool = True
    not_before: int | None = None
    expires: int | None = None
    content_type: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Properties:
    """What a client says about a version besides its value; None: nothing."""

    enabled: bool | None = None
    not_before: int | None = None
    expires: int | None = None
    content_type: str | None = None
    tags: Mapping[str, str] | None = None

    @property
    def given(self) -> Mapping[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}


NOTHING_GIVEN = Properties()


class Vault:
    """Secrets by name, each with its versions, oldest first. With `state`, a JSON file, they outlive the process."""

    def __init__(self, *, clock: Callable[[], float] = time.time, state: Path | None = None) -> None:
        self._clock = clock
        self._state = state
        self._lock = threading.Lock()
        self._secrets = _load(state)

    def set(self, name: str, value: str, properties: Properties = NOTHING_GIVEN) -> SecretVersion:
        """Adds a version, which is the latest from now on; nothing is taken over from the one before."""
        if len(value.encode()) > LONGEST_VALUE:
            raise VaultError(400, "BadParameter", f"The secret's value is longer than {LONGEST_VALUE} bytes.")
        with self._lock:
            now = int(self._clock())
            secret = SecretVersion(uuid4().hex, value, now, now, **properties.given)
            self._store(name, [*self._secrets.get(name, []), secret])
            return secret

    def get(self, name: str, version: str | None = None) -> SecretVersion:
        """The given version, or the latest; one that has expired too, as in the vault."""
        with self._lock:
            secret = self._find(name, version)
        if not secret.enabled:
            message = "Operation get is not allowed on a disabled secret."
            raise VaultError(403, "Forbidden", message, inner_code="SecretDisabled")
        return secret

    def update(self, name: str, version: str | None, properties: Properties) -> SecretVersion:
        """Replaces the given properties of a version (tags as a whole), enabled or not, and leaves its value."""
        with self._lock:
            old = self._find(name, version)
            new = replace(old, updated=int(self._clock()), **properties.given)
            self._store(name, [new if each is old else each for each in self._secrets[name]])
            return new

    def list_latest(self) -> Sequence[tuple[str, SecretVersion]]:
        """The latest version of every secret, by name."""
        with self._lock:
            return sorted((name, versions[-1]) for name, versions in self._secrets.items())

    def list_versions(self, name: str) -> Sequence[SecretVersion]:
        """Sorted by version, so not by age: the vault promises no order. Empty where there is no such secret."""
        with self._lock:
            return sorted(self._secrets.get(name, []), key=lambda each: each.version)

    def _find(self, name: str, version: str | None) -> SecretVersion:
        versions = self._secrets.get(name, [])
        found = next((each for each in reversed(versions) if version in (None, each.version)), None)
        if not found:
            identifier = f"{name}/{version}" if version else name
            message = f"A secret with (name/id) {identifier} was not found in this key vault."
            raise VaultError(404, "SecretNotFound", message)
        return found

    def _store(self, name: str, versions: list[SecretVersion]) -> None:
        self._secrets[name] = versions
        if self._state:
            _save(self._state, self._secrets)


def _load(state: Path | None) -> dict[str, list[SecretVersion]]:
    if not state or not state.exists():
        return {}
    stored = json.loads(state.read_text())
    return {name: [SecretVersion(**each) for each in versions] for name, versions in stored.items()}


def _save(state: Path, secrets: Mapping[str, Sequence[SecretVersion]]) -> None:
    content = {name: [asdict(each) for each in versions] for name, versions in secrets.items()}
    state.parent.mkdir(parents=True, exist_ok=True)
    new = state.with_suffix(".new")
    new.write_text(json.dumps(content))
    new.replace(state)
