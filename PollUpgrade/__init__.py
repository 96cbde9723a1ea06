"""Timer trigger: one tick over the rows that are due."""

import azure.functions as func


def main(timer: func.TimerRequest) -> None:  # noqa: ARG001  the binding's name
    """Everything is built on first use, inside the invocation, so that a failure is an invocation that failed."""
    from shared import wiring  # noqa: PLC0415

    wiring.poll_upgrades()
