"""Its queue is an app setting that nobody sets."""

import azure.functions as func


def main(message: func.ServiceBusMessage) -> None:
    pass
