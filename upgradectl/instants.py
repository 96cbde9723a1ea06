"""Instants on the command line: ISO 8601, or how long ago; and as machines are given them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from upgradectl.errors import CommandError, ExitCode

_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def instant(text: str, now: datetime | None = None) -> datetime:
    """`2026-11-22`, `2026-11-22T08:30+01:00`, `90m`, `36h`, `7d`, `2w` (ago), as aware UTC; without a zone it is UTC.

    Raises:
        typer.BadParameter: it is none.
    """
    try:
        if ago := _AGO.fullmatch(text.strip()):
            return (now or datetime.now(UTC)) - timedelta(**{_UNITS[ago[2]]: float(ago[1])})
        found = datetime.fromisoformat(text.strip())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r}: no instant; write 2026-11-22, 2026-11-22T08:30, 36h or 7d") from None


def check_order(
    since: datetime | None, until: datetime | None, names: tuple[str, str] = ("--since", "--until")
) -> None:
    """
    Raises:
        CommandError: no instant is at or after `since` and before `until`.
    """
    if since and until and since >= until:
        raise CommandError(f"{names[0]} is not before {names[1]}", code=ExitCode.USAGE)


def instant_text(at: datetime) -> str:
    """ISO 8601, in UTC: `2026-11-22T08:30:00Z`."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def as_text(value: object) -> str:
    """What JSON has no type for."""
    return instant_text(value) if isinstance(value, datetime) else str(value)


Since = Annotated[
    datetime | None,
    typer.Option(parser=instant, metavar="WHEN", help="Finished then or later: 2026-11-22T08:30, 36h, 7d."),
]
Until = Annotated[datetime | None, typer.Option(parser=instant, metavar="WHEN", help="Finished before then.")]
