"""New customers, and what `results` is asked for and leaves behind."""

from pathlib import Path
from uuid import uuid4


def customers(count: int) -> list[str]:
    """In the order of the table."""
    return sorted(str(uuid4()) for _ in range(count))


def of(*ids: str) -> list[str]:
    """Options: these customers alone."""
    return [argument for customer in ids for argument in ("--customer", customer)]


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
