"""Service Bus trigger that does nothing: what any app needs to start, with the two libraries that it imports."""

import azure.functions as func
import requests  # noqa: F401  its import is what is measured


def main(msg: func.ServiceBusMessage) -> None:
    pass
