"""Fails each invocation."""

import azure.functions as func


def main(message: func.ServiceBusMessage) -> None:
    raise ValueError(f"no good: {message.get_body().decode()}")
