"""Service Bus trigger: one message, one upgrade request.

Nothing that can fail is imported here: a function that does not load burns all deliveries of all messages in seconds.
"""

import json
import logging
import os
import time

import azure.functions as func

DEFAULT_HOLD_S = 200.0
LOCK_RENEWAL_S = 300.0  # host.json: maxAutoLockRenewalDuration


def main(msg: func.ServiceBusMessage) -> None:
    """Returns when the request has its row or its result. Holds the message as long as neither can be had.

    The platform knows no delay between deliveries: an exception raised at once would burn them all in an outage.
    """
    until = time.monotonic() + _hold_s()
    pause_s = 0.25
    while True:
        try:
            _create_upgrade(msg, until)
        except Exception as error:
            pause_s = min(2 * pause_s, 15)
            left_s = until - time.monotonic()
            if not getattr(error, "may_be_held", True) or left_s <= 0:
                raise
            # What lasts as long as the process is waited for in one piece: the next delivery may meet another process.
            wait_s = min(left_s, pause_s if getattr(error, "waiting_helps", True) else left_s)
            _log_held(error, msg, wait_s)
            time.sleep(wait_s)
        else:
            return


def _create_upgrade(msg: func.ServiceBusMessage, until: float) -> None:
    from shared import wiring  # noqa: PLC0415  inside the hold: an import that fails must not lose messages
    from shared.messages import Message  # noqa: PLC0415

    enqueued_at, sequence_number = msg.enqueued_time_utc, msg.sequence_number
    assert enqueued_at is not None
    assert sequence_number is not None
    message = Message(msg.get_body(), msg.message_id, sequence_number, enqueued_at)
    wiring.create_upgrade(message, msg.delivery_count or 1, until=until)


def _hold_s() -> float:
    """Read here and not by `Settings`: settings that are wrong are one of the things that a hold bridges."""
    try:
        hold_s = float(os.environ.get("STORAGE_HOLD_S") or DEFAULT_HOLD_S)
    except ValueError:
        return DEFAULT_HOLD_S
    return hold_s if 0 < hold_s < LOCK_RENEWAL_S else DEFAULT_HOLD_S  # also where it is no number (NaN)


def _log_held(error: Exception, msg: func.ServiceBusMessage, wait_s: float) -> None:
    fields = {"reason": type(error).__name__, "delivery_count": msg.delivery_count, "wait_s": round(wait_s, 2)}
    logging.getLogger("upgrades").warning("request.held %s", json.dumps(fields))
