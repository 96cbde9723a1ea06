"""Which system a command is for: the app's settings, from the local cloud, an azd environment or the process's own.

azd's files follow "Azure Developer CLI environments": `.azure/config.json` and `.azure/NAME/.env`.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from shared.errors import InvalidSettings
from shared.settings import Settings
from upgradectl.errors import CommandError, ExitCode

LOCAL_ENVIRONMENT = Path(".local", "up", "environment.json")
_SET = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)", re.DOTALL)
_LINE = re.compile(r'\s*(?:export\s+)?([A-Za-z_]\w*)=(?:"((?:[^"\\]|\\.)*)"|([^#]*))')
# What the app needs and a command may do without: with these, `Settings` can be read.
_UNSET = {
    "PARTNER_TENANT_ID": "00000000-0000-0000-0000-000000000000",
    "PARTNER_CLIENT_ID": "00000000-0000-0000-0000-000000000000",
    "KEY_VAULT_URL": "https://unset.invalid",
    "TABLES_URL": "https://unset.invalid",
    "UPGRADE_QUEUE": "unset",
    "POLL_SCHEDULE": "unset",
}
# Each says which system it is: an environment that holds one is not mixed with another.
_NAMING = ("TABLES_URL", "SERVICE_BUS_NAMESPACE", "UPGRADE_QUEUE")


@dataclass(frozen=True)
class Target:
    """Settings by name, and where they come from (`source`, for people). `is_local`: they are a whole environment."""

    values: Mapping[str, str]
    source: str
    is_local: bool = False

    @property
    def words(self) -> str:
        """For people, before something is changed: `the azd environment prod (tables HOST, queue HOST/NAME)`."""
        tables, namespace, queue = (self.values.get(name, "").strip() for name in _NAMING)
        hosts = (
            f"tables {urlsplit(tables).netloc or tables}" if tables else "",
            f"queue {namespace}/{queue}" if namespace and queue else "",
        )
        where = ", ".join(filter(None, hosts))
        return f"{self.source} ({where})" if where else self.source

    def has(self, name: str) -> bool:
        return bool(self.values.get(name, "").strip())

    def require(self, names: Iterable[str]) -> Settings:
        """The settings, where those that the command needs are there.

        Raises:
            InvalidSettings: all problems at once.
        """
        problems = [f"{name} is missing" for name in names if not self.has(name)]
        try:
            settings = self.settings()
        except InvalidSettings as error:
            problems += error.problems
        if problems:
            raise InvalidSettings(tuple(problems))
        return settings

    def settings(self) -> Settings:
        """The settings; those of the required ones that are missing have values that lead nowhere.

        Raises:
            InvalidSettings: one that is there is wrong.
        """
        return Settings.from_env({**_UNSET, **{name: value for name, value in self.values.items() if value.strip()}})


def find_target(
    *, local: bool, azd_env: str | None, overrides: Sequence[str], environment: Mapping[str, str], folder: Path
) -> Target:
    """`--local` and `--azd-env` are the whole truth; without them the environment goes before azd's default one.

    An environment that names tables or a queue is the whole truth as well: else two systems might be mixed.

    `folder`: files are looked for there and in the folders above it.

    Raises:
        CommandError: there is no such system.
    """
    given = dict(map(_override, overrides))
    if local:
        return Target({**_local(folder), **given}, "the local cloud", is_local=True)
    if azd_env:
        return Target({**_azd(folder, azd_env), **given}, f"the azd environment {azd_env}")
    names_a_system = any(environment.get(name, "").strip() for name in _NAMING)
    default = None if names_a_system else _default_azd_env(folder)
    values = {**(_azd(folder, default) if default else {}), **environment, **given}
    return Target(values, f"the environment and the azd environment {default}" if default else "the environment")


def _override(text: str) -> tuple[str, str]:
    found = _SET.fullmatch(text)
    if not found:
        raise CommandError(f"--set {text.partition('=')[0]}: not NAME=VALUE", code=ExitCode.USAGE)
    return found[1], found[2]


def _local(folder: Path) -> dict[str, str]:
    file = _above(folder, LOCAL_ENVIRONMENT)
    if file is None:
        raise CommandError("no local cloud is running here", "start it with `make up`", code=ExitCode.USAGE)
    values: dict[str, str] = json.loads(file.read_text())
    return values


def _azd(folder: Path, name: str) -> dict[str, str]:
    file = _above(folder, Path(".azure", name, ".env"))
    if file is None:
        remedy = "`azd env list` shows those that exist; `azd env refresh` writes the file"
        raise CommandError(f"there is no azd environment {name} here", remedy, code=ExitCode.USAGE)
    lines = (_LINE.match(line) for line in file.read_text().splitlines())
    return {line[1]: _unescaped(line[2]) if line[2] is not None else line[3].strip() for line in lines if line}


def _default_azd_env(folder: Path) -> str | None:
    file = _above(folder, Path(".azure", "config.json"))
    try:
        name = json.loads(file.read_text()).get("defaultEnvironment") if file else None
    except (ValueError, AttributeError):
        return None
    return name if isinstance(name, str) and _above(folder, Path(".azure", name, ".env")) else None


def _above(folder: Path, path: Path) -> Path | None:
    return next((found for base in (folder, *folder.parents) if (found := base / path).is_file()), None)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "r": "\r"}.get(found[1], found[1]), text)
