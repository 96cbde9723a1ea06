"""Fails at import."""

import azure.functions as func

raise ImportError("a package is missing")


def main(message: func.ServiceBusMessage) -> None:
    pass
