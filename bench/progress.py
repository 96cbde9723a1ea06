"""What a benchmark says while it runs: on standard error, so that tables alone go to standard output."""

import time

from rich.console import Console

_console = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    _console.print(f"[dim]{time.strftime('%H:%M:%S')}[/] {text}")
