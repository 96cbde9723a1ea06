"""The command line: what there is, and its help."""

from importlib import metadata
from types import ModuleType
from typing import Annotated

import typer

from upgradectl.commands import (
    cancel,
    check,
    consent,
    doctor,
    pause,
    results,
    resume,
    retry,
    status,
    submit,
    watch,
)
from upgradectl.commands.dead_letters import discard, resubmit, show
from upgradectl.commands.dead_letters import list as list_

EXIT_CODES = (
    "Exit codes: 0 ok; 1 an answer, and it is bad news; 2 wrong options or settings; 3 could not be done;"
    " 130 interrupted."
)
COMMANDS: dict[str, ModuleType] = {
    "submit": submit,
    "check": check,
    "status": status,
    "watch": watch,
    "results": results,
    "retry": retry,
    "pause": pause,
    "resume": resume,
    "cancel": cancel,
    "consent": consent,
    "doctor": doctor,
}
GROUPS: dict[str, tuple[str, dict[str, ModuleType]]] = {
    "dead-letters": (
        "What is no request, and what the system could not take: look, send again, put away.",
        {"list": list_, "show": show, "resubmit": resubmit, "discard": discard},
    )
}


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(metadata.version("upgradectl"))
        raise typer.Exit


app = typer.Typer(
    help="The operator's commands for the product upgrades of a Microsoft partner.\n\n"
    "Which system: its settings by --set, from the environment, or from an azd environment (`.azure`); --local for the"
    " local cloud. Who you are: DefaultAzureCredential, so `az login` first.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def upgradectl(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Keeps the commands' names, however many there are."""


def _add(group: typer.Typer, name: str, module: ModuleType) -> None:
    examples = [f"  upgradectl {line}" for line in module.EXAMPLES]
    group.command(name, epilog="\n\n".join(("Examples:", *examples, EXIT_CODES)))(module.run)


for name, module in COMMANDS.items():
    _add(app, name, module)
for group_name, (help_text, modules) in GROUPS.items():
    group = typer.Typer(help=help_text, epilog=EXIT_CODES, no_args_is_help=True)
    for name, module in modules.items():
        _add(group, name, module)
    app.add_typer(group, name=group_name)
