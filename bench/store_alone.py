"""`python -m bench.store_alone`: what the tables can do for creates when nothing else happens, as a process.

It makes the three calls that CreateUpgrade makes for one upgrade, through the same SDK with the same settings, from as
many threads, but out of entities that were made before: what is measured is the SDK and the storage. It announces
itself when everything is warm, begins at a line of standard input, and prints when it began and ended.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from azure.core import MatchConditions
from azure.data.tables import TableClient, UpdateMode
from azure.identity import DefaultAzureCredential

from local.component import announce
from shared import entities
from shared.models import InFlightUpgrade, State
from shared.transport import DeadlineTransport, new_session
from shared.upgrade_store import IN_FLIGHT, RESULTS


@dataclass(frozen=True)
class Upgrade:
    """The entities of one upgrade: its claim, and what the answer to its create call makes of it."""

    customer_id: str
    claimed: dict[str, Any]
    submitted: dict[str, Any]


@dataclass(frozen=True)
class Tables:
    in_flight: TableClient
    results: TableClient

    def create(self, upgrade: Upgrade) -> None:
        """Claim, check and store the answer: `shared.upgrades`, without what decides."""
        metadata = self.in_flight.create_entity(upgrade.claimed)
        query = "PartitionKey eq @customer and RowKey ge @first and RowKey lt @end"
        parameters = {"customer": upgrade.customer_id, "first": "azure|", "end": "azure}"}
        list(self.results.query_entities(query, parameters=parameters))
        self.in_flight.update_entity(
            upgrade.submitted,
            mode=UpdateMode.REPLACE,
            etag=metadata["etag"],
            match_condition=MatchConditions.IfNotModified,
        )


def new_upgrade() -> Upgrade:
    now, customer_id = datetime.now(UTC), str(uuid4())
    claimed = InFlightUpgrade(
        customer_id=customer_id,
        product_family="Azure",
        request_id=str(uuid4()),
        state=State.ACCEPTED,
        next_attempt_at=now,
        ms_request_id=str(uuid4()),
        correlation_id=str(uuid4()),
        outcome_unknown=True,
        requested_at=now,
        claimed_at=now,
    )
    submitted = replace(
        claimed, state=State.IN_PROGRESS, upgrade_id=str(uuid4()), submitted_at=now, attempts=1, outcome_unknown=False
    )
    key = entities.in_flight_key(claimed)
    rows = [entities.entity(key, entities.columns(row)) for row in (claimed, submitted)]
    return Upgrade(customer_id, *rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.store_alone", description=__doc__)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--upgrades", type=int, required=True)
    parser.add_argument("--warm-up", type=int, required=True, help="upgrades before those that count")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        tables = Tables(*_open(stack, arguments.threads))
        pool = stack.enter_context(ThreadPoolExecutor(arguments.threads))
        list(pool.map(tables.create, _upgrades(arguments.warm_up)))
        upgrades = list(_upgrades(arguments.upgrades))
        announce(warm=True)
        if not sys.stdin.readline():  # whoever started it is gone
            return
        began_s = time.time()
        list(pool.map(tables.create, upgrades))
        announce(began_s=began_s, ended_s=time.time())


def _open(stack: ExitStack, threads: int) -> Iterator[TableClient]:
    """As `shared.wiring` does."""
    session = stack.enter_context(new_session(connections=threads, ca_file=os.environ["REQUESTS_CA_BUNDLE"]))
    transport = DeadlineTransport(session)
    credential = stack.enter_context(DefaultAzureCredential(transport=transport))
    for name in (IN_FLIGHT, RESULTS):
        options: dict[str, Any] = {"transport": transport, "retry_total": 3, "retry_backoff_factor": 0.2}
        client = TableClient(os.environ["TABLES_URL"], name, credential=credential, **options)
        yield stack.enter_context(client)


def _upgrades(count: int) -> Iterator[Upgrade]:
    return (new_upgrade() for _ in range(count))


if __name__ == "__main__":
    main()
