"""Requests as commands are given them: a file, or one customer; and how lines that are none are shown."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer

from upgradectl.errors import CommandError, ExitCode
from upgradectl.output import Output
from upgradectl.requests_file import RequestsFile, opened, single
from upgradectl.submit import Problem, Validation, validate

_FAMILY = "Azure"
_SHOWN = 100

File = Annotated[
    str | None,
    typer.Argument(
        metavar="FILE",
        help="CSV (columns customerId, productFamily, requestId) or JSON Lines; - is standard input.",
        show_default=False,
    ),
]
Customer = Annotated[
    str | None, typer.Option(help="Instead of a file: this customer.", metavar="ID", show_default=False)
]
Family = Annotated[
    str | None,
    typer.Option(help=f"With --customer: the product family. Default: {_FAMILY}.", metavar="NAME", show_default=False),
]
SkipInvalid = Annotated[bool, typer.Option("--skip-invalid", help="Go on with the lines that are requests.")]


@contextmanager
def given(
    file: str | None,
    customer: str | None,
    *,
    families: Sequence[str],
    family: str | None,
    request_id: str | None = None,
    batch: str | None,
) -> Iterator[RequestsFile]:
    """
    Raises:
        CommandError: neither file nor customer, or both; or there is no such file.
    """
    if (file is None) == (customer is None):
        raise CommandError("give either a FILE or --customer", code=ExitCode.USAGE)
    if file is None:
        assert customer is not None
        yield single(customer, family or _FAMILY, request_id, families=families, batch=batch)
        return
    if request_id is not None or family is not None:
        raise CommandError("--family and --request-id go with --customer", code=ExitCode.USAGE)
    with opened(file, families=families, batch=batch) as requests:
        yield requests


def validated(output: Output, requests: RequestsFile) -> Validation:
    """With a progress bar."""
    with output.progress(f"reading {requests.name}", None) as advance:
        return validate(requests, advance)


def show_problems(show: Callable[[str], None], name: str, problems: Sequence[Problem]) -> None:
    """One to a line, as compilers do, so that editors find the place."""
    for problem in problems[:_SHOWN]:
        show(f"{name}:{problem.line}: {problem.text}")
    if len(problems) > _SHOWN:
        show(f"and {len(problems) - _SHOWN:,} more; --json lists all")
