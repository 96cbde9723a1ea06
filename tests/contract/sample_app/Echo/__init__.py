"""Logs what it was given."""

import json
import logging

import azure.functions as func


def main(message: func.ServiceBusMessage) -> None:
    enqueued = message.enqueued_time_utc
    content = {
        "body": message.get_body().decode(),
        "message_id": message.message_id,
        "delivery_count": message.delivery_count,
        "sequence_number": message.sequence_number,
        "enqueued_at": enqueued.isoformat() if enqueued else None,
        "correlation_id": message.correlation_id,
        "content_type": message.content_type,
        "application_properties": message.application_properties,
    }
    logging.info("echo %s", json.dumps(content))
    print("printed, not logged")  # noqa: T201
