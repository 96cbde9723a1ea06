"""`upgradectl consent`."""

import sys
from contextlib import suppress
from dataclasses import asdict
from getpass import getpass
from typing import Annotated

import typer
from rich.text import Text

from upgradectl.browser import LoopbackBrowser, PastedAnswer, is_there_a_browser
from upgradectl.consent import NEEDED, Consented, consent
from upgradectl.errors import CommandError, ExitCode
from upgradectl.options import Invocation, command
from upgradectl.output import Output

EXAMPLES = ("consent --local", "consent --azd-env prod --set-secret", "consent --no-browser")
_SIGN_IN_TIMEOUT_S = 600


@command
def run(
    invocation: Invocation,
    *,
    set_secret: Annotated[
        bool, typer.Option("--set-secret", help="Ask for the client secret (or read it from a pipe), and store it too.")
    ] = False,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Sign in on another machine, and paste the address where that ends.")
    ] = False,
    port: Annotated[int, typer.Option(help="Of the loopback address; 0: a free one.", min=0, max=65535)] = 0,
) -> None:
    """Sign in to Partner Center, with MFA, and store the refresh token.

    It is stored only where Partner Center accepts the sign-in; then the app goes on at once.

    The app registration needs the redirect URI http://localhost, of the platform Web.
    """
    output = invocation.output
    with invocation.connect(*NEEDED) as connections:
        secret = _ask_for_secret() if set_secret else None
        if no_browser or not is_there_a_browser():
            pasted = PastedAnswer(read_line=_read_line, note=output.note)
            _show(output, consent(connections, pasted, new_secret=secret))
            return
        with LoopbackBrowser(port=port, timeout_s=_SIGN_IN_TIMEOUT_S, note=output.note) as browser:
            _show(output, consent(connections, browser, new_secret=secret))


def _show(output: Output, consented: Consented) -> None:
    for warning in consented.warnings:
        output.note(Text.assemble(("warning: ", "yellow"), warning))
    if output.as_json:
        output.json(asdict(consented))
        return
    who = f" of {consented.signed_in_as}" if consented.signed_in_as else ""
    output.line(f"Stored: the refresh token{who}, as {consented.secret_name}. The gate: {consented.gate}.")


def _ask_for_secret() -> str:
    secret = (getpass("Client secret: ") if sys.stdin.isatty() else sys.stdin.readline()).strip()
    if not secret:
        raise CommandError("no client secret was given", code=ExitCode.USAGE)
    return secret


def _read_line(prompt: str) -> str:
    """With readline: a terminal's own lines end after 1,024 characters on some systems, and these are longer."""
    with suppress(ImportError):
        import readline  # noqa: F401, PLC0415
    sys.stderr.write(prompt)
    sys.stderr.flush()
    return input()
