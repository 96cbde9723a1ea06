"""App settings, and their names between percent signs in bindings.

Follows "Azure Functions triggers and bindings: binding expressions, app settings".
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_EXPRESSION = re.compile(r"%([^%]+)%")


class MissingSettingError(LookupError):
    """A binding names an app setting that is not there."""


def app_settings(environment: Mapping[str, str], file: Path | None = None) -> dict[str, str]:
    """The environment, and what only the `Values` of a local.settings.json has."""
    values: dict[str, str] = json.loads(file.read_text())["Values"] if file else {}
    return {**values, **environment}


def substitute(text: str, settings: Mapping[str, str]) -> str:
    """`text` with each %NAME% replaced.

    Raises:
        MissingSettingError: a name is no app setting.
    """

    def value_of(match: re.Match[str]) -> str:
        try:
            return settings[match[1]]
        except KeyError:
            raise MissingSettingError(f"'%{match[1]}%' does not resolve to a value") from None

    return _EXPRESSION.sub(value_of, text)


def substitute_all(binding: Mapping[str, Any], settings: Mapping[str, str]) -> dict[str, Any]:
    """A binding with each of its texts substituted."""
    return {key: substitute(value, settings) if isinstance(value, str) else value for key, value in binding.items()}
