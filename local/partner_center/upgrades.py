"""The upgrades that exist: at most one per customer and family, unless the earlier ones failed or vanished."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from local.partner_center.calls import Subject
from local.partner_center.journal import Event, Journal
from local.partner_center.ledger import iso
from local.partner_center.scenario import Course, LineItem, course_document, course_from

IN_PROGRESS = "in progress"
VANISHED = "vanished"
WORDS = {"in progress": "InProgress", "completed": "Completed", "failed": "Failed"}
SOURCE = {"id": "MS-AZR-0145P", "name": "Microsoft Azure"}
TARGET = {"id": "DZH318Z0BPS6:0001", "name": "Azure plan"}


@dataclass(frozen=True)
class Upgrade:
    id: str
    customer_id: str
    family: str
    created_s: float
    ms_request_id: str | None
    course: Course
    polls: int = 0
    ended_s: float | None = None
    vanished: bool = False

    @property
    def state(self) -> str:
        """`in progress`, `completed`, `failed` or `vanished`."""
        if self.vanished:
            return VANISHED
        ended = self.course.polls is not None and self.polls >= self.course.polls
        return self.course.end if ended else IN_PROGRESS

    def document(self) -> dict[str, Any]:
        """The answer to a status call ("Get product upgrade status")."""
        ended = self.state != IN_PROGRESS
        return {
            "id": self.id,
            "status": WORDS[self.state],
            "productFamily": self.family,
            "lineItems": [self._line_item(item, ended=ended) for item in self.course.line_items],
            "errorDetails": self.course.error if ended else None,
        }

    def truth(self) -> dict[str, Any]:
        """What the ledger says of it."""
        return {
            "id": self.id,
            "customerId": self.customer_id,
            "productFamily": self.family,
            "createdAt": iso(self.created_s),
            "createdS": self.created_s,
            "endedS": self.ended_s,
            "msRequestId": self.ms_request_id,
            "state": self.state,
            "polls": self.polls,
            "lineItems": course_document(self.course)["line_items"],
        }

    def _line_item(self, item: LineItem, *, ended: bool) -> dict[str, Any]:
        return {
            "sourceProduct": SOURCE,
            "targetProduct": TARGET,
            "upgradedDate": _ticks(self.ended_s or self.created_s) if ended and item.status == "completed" else None,
            "status": WORDS.get(item.status, item.status) if ended else WORDS[IN_PROGRESS],
            "errorDetails": item.error if ended else None,
        }


def _ticks(at_s: float) -> str:
    """An instant as the service writes it: with 100-nanosecond ticks."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


class Upgrades:
    def __init__(self, journal: Journal, clock: Callable[[], float]) -> None:
        self._journal = journal
        self._clock = clock
        self._upgrades: dict[str, Upgrade] = {}
        self._latest: dict[tuple[str, str], str] = {}
        journal.on("created", self._apply_created)
        journal.on("polled", self._apply_polled)
        journal.on("vanished", self._apply_vanished)

    def __iter__(self) -> Iterator[Upgrade]:
        return iter(list(self._upgrades.values()))

    def get(self, upgrade_id: str | None) -> Upgrade | None:
        """The upgrade of this id, unless it has vanished."""
        upgrade = self._upgrades.get((upgrade_id or "").lower())
        return upgrade if upgrade and not upgrade.vanished else None

    def current(self, subject: Subject) -> Upgrade | None:
        """The customer's latest upgrade of this family, unless it has vanished."""
        return self.get(self._latest.get((subject.customer_id or "", subject.family or "")))

    def create(self, subject: Subject, course: Course, *, call: int | None, ms_request_id: str | None) -> Upgrade:
        """A new upgrade; `call` is the ledger's number of the call that made it."""
        upgrade_id = str(uuid4())
        self._journal.record(
            "created",
            id=upgrade_id,
            call=call,
            customerId=subject.customer_id,
            productFamily=subject.family,
            createdS=self._clock(),
            msRequestId=ms_request_id,
            course=course_document(course),
        )
        return self._upgrades[upgrade_id]

    def poll(self, upgrade: Upgrade) -> Upgrade:
        """The upgrade one status call later."""
        self._journal.record("polled", id=upgrade.id, atS=self._clock())
        return self._upgrades[upgrade.id]

    def vanish(self, upgrade: Upgrade) -> None:
        self._journal.record("vanished", id=upgrade.id)

    def _apply_created(self, event: Event) -> None:
        customer_id, family = event["customerId"], event["productFamily"]
        course = course_from(event["course"])
        upgrade = Upgrade(event["id"], customer_id, family, event["createdS"], event["msRequestId"], course)
        self._upgrades[upgrade.id] = upgrade
        self._latest[customer_id, family] = upgrade.id

    def _apply_polled(self, event: Event) -> None:
        before = self._upgrades[event["id"]]
        after = replace(before, polls=before.polls + 1)
        ends_now = before.state == IN_PROGRESS != after.state
        self._upgrades[event["id"]] = replace(after, ended_s=event["atS"]) if ends_now else after

    def _apply_vanished(self, event: Event) -> None:
        self._upgrades[event["id"]] = replace(self._upgrades[event["id"]], vanished=True)
