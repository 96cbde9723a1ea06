"""`upgradectl dead-letters show`."""

import sys
from typing import Annotated, Any

import typer

from upgradectl.commands.dead_letters import NEEDED, Number, opened
from upgradectl.dead_letters import everything, visible
from upgradectl.errors import CommandError, ExitCode
from upgradectl.instants import instant_text
from upgradectl.options import Invocation, command
from upgradectl.output import Output

EXAMPLES = ("dead-letters show 17", "dead-letters show 17 --json", "dead-letters show 17 --raw > mended.json")


@command
def run(
    invocation: Invocation,
    *,
    number: Number,
    raw: Annotated[bool, typer.Option("--raw", help="The body alone, byte for byte: to a file, to mend it.")] = False,
) -> None:
    """Show one dead letter with its body, which may hold a customer's data.

    The body is shown as text where it is UTF-8, else in base64. Ends with 1 where there is no such dead letter.

    Needs Azure Service Bus Data Receiver on the queue. Changes nothing.
    """
    if raw and sys.stdout.isatty():  # a sender's bytes: a terminal would obey some of them
        raise CommandError("--raw is not for a terminal", "redirect it: --raw > mended.json", code=ExitCode.USAGE)
    with invocation.connect(*NEEDED) as connections:
        with opened(connections) as letters:
            letter = letters.peek(number)
        if letter is None:
            raise CommandError(f"there is no dead letter {number}", code=ExitCode.NOT_OK)
        document = everything(letter, connections.settings.product_families)
    if raw:
        sys.stdout.buffer.write(letter.body)
    elif invocation.output.as_json:
        invocation.output.json(document)
    else:
        _show(invocation.output, document)


def _show(output: Output, document: dict[str, Any]) -> None:
    request, properties = document.get("request") or {}, document["application_properties"]
    rows = [
        ("number", document["number"]),
        ("enqueued", instant_text(document["enqueued_at"])),
        ("deliveries", document["delivery_count"]),
        ("broker's reason", document["broker_reason"]),
        ("its description", document["broker_description"]),
        ("reason", document["reason"]),
        *((name.replace("_", " "), value) for name, value in request.items()),
        *((name.replace("_", " "), document[name]) for name in ("message_id", "correlation_id", "subject")),
        ("content type", document["content_type"]),
        *((f"property {name}", value) for name, value in properties.items()),
        ("body", document["body_encoding"]),
    ]
    output.table(("what", "value"), [(visible(name), visible(str(value))) for name, value in rows if value is not None])
    output.line("")
    for line in document["body"].split("\n"):
        output.line(visible(line.rstrip("\r").expandtabs(4)))
