"""What all commands have in common: the options, one line for an error, and the exit code."""

import inspect
import logging
import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from upgradectl.connections import Connections
from upgradectl.errors import ExitCode, explained
from upgradectl.output import Output
from upgradectl.target import Target, find_target

_SYSTEM = "Which system"
_COMMON = "Common"


@dataclass(frozen=True)
class Invocation:
    """What a command is given besides its own options."""

    target: Target
    output: Output

    def connect(self, *needed: str) -> Connections:
        """Clients of the system, where it has the settings that the command needs.

        Raises:
            InvalidSettings: naming all that are missing or wrong.
        """
        return Connections(self.target, self.target.require(needed))


def command(function: Callable[..., ExitCode | None]) -> Callable[..., None]:
    """Adds the common options to a command's own, and turns errors into one line and an exit code.

    `function` takes an `Invocation`, and its own options by name.
    """

    def run(*, local: bool, azd_env: str | None, overrides: list[str], as_json: bool, debug: bool, **own: Any) -> None:
        output = Output(as_json=as_json)
        _log(debug=debug)
        try:
            target = find_target(
                local=local, azd_env=azd_env, overrides=overrides, environment=os.environ, folder=Path.cwd()
            )
            if target.is_local:
                os.environ.update(target.values)  # the SDKs' credential and certificates are read from there
            output.system = target.words
            code = function(Invocation(target, output), **own)
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, a traceback is no message for an operator
            if debug:
                traceback.print_exc()
            trouble = explained(error)
            output.error(trouble.line)
            code = trouble.code
        raise typer.Exit(code or ExitCode.OK)

    return _with_signature(run, function)


def _with_signature(run: Callable[..., None], function: Callable[..., Any]) -> Callable[..., None]:
    """typer reads a command's options from its signature."""
    common = inspect.signature(_common).parameters.values()
    own = [*inspect.signature(function).parameters.values()][1:]
    keyword_only = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (*own, *common)]
    run.__signature__ = inspect.Signature(keyword_only)  # type: ignore[attr-defined]  # what inspect itself looks for
    run.__name__, run.__doc__ = function.__name__, function.__doc__
    return run


def _common(
    local: Annotated[
        bool, typer.Option("--local", help="The local cloud that `make up` runs.", rich_help_panel=_SYSTEM)
    ] = False,
    azd_env: Annotated[
        str | None,
        typer.Option(help="An azd environment. Default: azd's default one.", metavar="NAME", rich_help_panel=_SYSTEM),
    ] = None,
    overrides: Annotated[
        list[str],
        typer.Option(
            "--set", help="A setting of the app, before all others.", metavar="NAME=VALUE", rich_help_panel=_SYSTEM
        ),
    ] = [],  # noqa: B006  read as a declaration, never called
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON.", rich_help_panel=_COMMON)] = False,
    debug: Annotated[bool, typer.Option("--debug", help="The log, and tracebacks.", rich_help_panel=_COMMON)] = False,
) -> None:
    """Declares the common options."""


def _log(*, debug: bool) -> None:
    """Silent: what a command has to say, it prints. The libraries log addresses and headers even then not."""
    logging.basicConfig(level=logging.INFO if debug else logging.CRITICAL)
    for name in ("azure", "urllib3", "msal"):
        logging.getLogger(name).setLevel(logging.WARNING if debug else logging.CRITICAL)
