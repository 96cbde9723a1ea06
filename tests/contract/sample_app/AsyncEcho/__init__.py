"""The same on the worker's event loop."""

import asyncio
import logging

import azure.functions as func


async def main(message: func.ServiceBusMessage) -> None:
    logging.info("before %s", message.get_body().decode())
    await asyncio.sleep(0.02)
    logging.info("after %s", message.get_body().decode())
