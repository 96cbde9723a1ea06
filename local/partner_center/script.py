"""Which scenario each customer's calls follow, and which of its steps is next."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from local.partner_center.calls import GUID, Kind, Subject
from local.partner_center.journal import Event, Journal
from local.partner_center.scenario import Scenario, scenario_from
from local.partner_center.scenarios import NAMED
from local.partner_center.steps import ScenarioError, Step, normal, step_at

type ScenarioDocument = str | Mapping[str, Any]

UNSCRIPTED = Scenario()


def resolve(document: ScenarioDocument) -> Scenario:
    """The scenario of that name, or the one that the JSON object describes.

    Raises:
        ScenarioError: there is no such scenario.
    """
    if not isinstance(document, str):
        return scenario_from(document)
    if document not in NAMED:
        raise ScenarioError(f"no scenario is named {document!r}")
    return NAMED[document]


class Script:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._scenarios: dict[str, Scenario] = {}
        self._consumed: Counter[tuple[str, str]] = Counter()
        journal.on("scenario", self._apply_scenario)
        journal.on("stepped", self._apply_stepped)

    def assign(self, customer_id: str, document: ScenarioDocument) -> Scenario:
        """Lets the customer's calls follow this scenario, from its first step.

        Raises:
            ScenarioError: it is none, or the customer id is none.
        """
        if not GUID.fullmatch(customer_id):
            raise ScenarioError(f"{customer_id!r} is no customer id")
        scenario = resolve(document)
        self._journal.record("scenario", customerId=customer_id.lower(), scenario=document)
        return scenario

    def scenario(self, subject: Subject) -> Scenario:
        return self._scenarios.get(subject.customer_id or "", UNSCRIPTED)

    def next_step(self, subject: Subject, kind: Kind) -> Step:
        """The step of this call; it is consumed."""
        steps: tuple[Step, ...] = getattr(self.scenario(subject), kind)
        if not steps:
            return normal()
        step = step_at(steps, self._consumed[subject.customer_id or "", kind])
        self._journal.record("stepped", customerId=subject.customer_id, kind=kind)
        return step

    def _apply_scenario(self, event: Event) -> None:
        customer_id = event["customerId"]
        self._scenarios[customer_id] = resolve(event["scenario"])
        for kind in ("create", "status", "eligibility"):
            self._consumed.pop((customer_id, kind), None)

    def _apply_stepped(self, event: Event) -> None:
        self._consumed[event["customerId"], event["kind"]] += 1
