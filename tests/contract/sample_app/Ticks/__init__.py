"""Its first run takes SECONDS of the environment, each later one no time."""

import logging
import os
import time

import azure.functions as func

_durations = iter([float(os.environ["SECONDS"])])


def main(timer: func.TimerRequest) -> None:
    logging.info("begin past_due=%s", timer.past_due)
    time.sleep(next(_durations, 0))
    logging.info("end")
