"""Logs from everywhere: only some of it belongs to the invocation."""

import contextvars
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import azure.functions as func

logging.warning("at import")


def main(message: func.ServiceBusMessage, context: func.Context) -> None:
    logging.debug("too detailed")
    logging.info("in main %s", message.get_body().decode())
    with ThreadPoolExecutor(2) as pool:
        pool.submit(contextvars.copy_context().run, logging.info, "with context")
        pool.submit(logging.warning, "without context")
        pool.submit(_borrow, context)
    late = threading.Thread(target=contextvars.copy_context().run, args=(_log_late,))
    late.start()


def _borrow(context: func.Context) -> None:
    context.thread_local_storage.invocation_id = context.invocation_id  # type: ignore[attr-defined]  # takes any name
    logging.info("with borrowed id")


def _log_late() -> None:
    time.sleep(0.1)
    logging.warning("after the end")
