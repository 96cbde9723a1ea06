"""Takes as many seconds as the body says."""

import logging
import time

import azure.functions as func


def main(message: func.ServiceBusMessage) -> None:
    logging.info("begin %s %s", message.message_id, message.delivery_count)
    time.sleep(float(message.get_body()))
    logging.info("end %s", message.message_id)
