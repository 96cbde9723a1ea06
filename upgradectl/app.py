"""The command line: what there is, and its help."""

from types import ModuleType

import typer

from upgradectl.commands import consent, doctor

EXIT_CODES = (
    "Exit codes: 0 ok; 1 an answer, and it is bad news; 2 wrong options or settings; 3 could not be done;"
    " 130 interrupted."
)
COMMANDS: dict[str, ModuleType] = {"consent": consent, "doctor": doctor}

app = typer.Typer(
    help="The operator's commands for the product upgrades of a Microsoft partner.\n\n"
    "Which system: its settings by --set, from the environment, or from an azd environment (`.azure`); --local for the"
    " local cloud. Who you are: DefaultAzureCredential, so `az login` first.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def upgradectl() -> None:
    """Keeps the commands' names, however many there are."""


for name, module in COMMANDS.items():
    examples = [f"  upgradectl {line}" for line in module.EXAMPLES]
    app.command(name, epilog="\n\n".join(("Examples:", *examples, EXIT_CODES)))(module.run)
