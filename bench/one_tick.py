"""`python -m bench.one_tick --days N`: ticks of PollUpgrade in a process of their own, without the host.

After its ready line it ticks twice and prints what that took, as one JSON object. The first tick finds nothing due and
counts all rows, as every CENSUS_S; the second one takes place N days later, when rows are due. With `--textbook` it is
one run of the textbook function instead.
"""

import argparse
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from azure.data.tables import TableClient
from azure.identity import DefaultAzureCredential

from bench.waits import Effort, TimedTransport
from local.component import announce, call_when_told_to_stop
from shared import wiring
from shared.clock import SystemClock
from shared.models import InFlightUpgrade
from shared.tick import Poller
from shared.transport import new_session
from shared.upgrade_store import TableStore


class _Clock(SystemClock):
    """The machine's, `ahead` of its time: rows that have just been polled come due again without waiting."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


class _NoTokens:
    """`tick.Tokens`: the client has its own, and the scheduled renewal is not what is measured."""

    refresh_token_age_d = None
    sign_in = None

    def get_token(self) -> str:
        return ""

    def drop_token(self) -> None: ...

    def renew_if_due(self) -> None: ...


class _TimedStore(TableStore):
    """`reading`: what all looks for due rows took so far."""

    def __init__(self, open_table: Callable[[str], TableClient], call_deadline_s: float, transport: TimedTransport):
        super().__init__(open_table, call_deadline_s)
        self._transport = transport
        self.reading = Effort()

    def list_due(self, now: datetime) -> list[InFlightUpgrade]:
        rows, effort = self._transport.measure(lambda: super(_TimedStore, self).list_due(now))
        self.reading += effort
        return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.one_tick", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--days", type=int, help="how far the second tick's clock is ahead")
    what.add_argument("--textbook", action="store_true")
    arguments = parser.parse_args()
    call_when_told_to_stop(lambda: os._exit(1))
    with _timed_transport() as transport:
        ahead = timedelta(days=arguments.days or 0)
        facts = _run_of_textbook(transport) if arguments.textbook else _ticks(transport, ahead)
    announce(**facts, peak_mb=_peak_mb())


def _run_of_textbook(transport: TimedTransport) -> dict[str, object]:
    from bench.textbook.PollUpgrade import main as run  # noqa: PLC0415  the app's memory shall not hold it

    announce(ready=True)
    timer: Any = None  # the function does not look at it
    _, effort = transport.measure(lambda: run(timer))
    return {"tick": asdict(effort)}


def _ticks(transport: TimedTransport, ahead: timedelta) -> dict[str, object]:
    clock = _Clock()
    app = wiring.app()
    store = _TimedStore(_opener(transport), app.ports.settings.azure_call_deadline_s, transport)
    poller = Poller(replace(app.ports, store=store, clock=clock), _NoTokens())
    _warm_up(app)
    announce(ready=True)
    _, counting = transport.measure(poller.tick)
    clock.ahead, store.reading = ahead, Effort()
    _, tick = transport.measure(poller.tick)
    return {"counting": asdict(counting), "tick": asdict(tick), "reading": asdict(store.reading)}


def _warm_up(app: wiring.App) -> None:
    """Token and connections are there, as in a process that has been polling before."""
    row = next(iter(app.ports.store.list_in_flight()))
    app.ports.partner_center.get_eligibility(row, may_send=lambda: True)


@contextmanager
def _timed_transport() -> Iterator[TimedTransport]:
    with new_session(connections=16, ca_file=os.environ["REQUESTS_CA_BUNDLE"]) as session:
        yield TimedTransport(session)


def _opener(transport: TimedTransport) -> Callable[[str], TableClient]:
    """As `shared.wiring` does."""
    credential = DefaultAzureCredential(transport=transport)
    options: dict[str, Any] = {"transport": transport, "retry_total": 3, "retry_backoff_factor": 0.2}
    return lambda name: TableClient(os.environ["TABLES_URL"], name, credential=credential, **options)


def _peak_mb() -> float:
    """The most that this process ever had resident (proc(5), `VmHWM`)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


if __name__ == "__main__":
    main()
