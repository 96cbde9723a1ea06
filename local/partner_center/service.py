"""The three calls of product upgrades, as the pages that the package names describe them.

Each call has three moments, and a client can be lost between any two of them: it arrives, it is acted on, it ends.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from uuid import uuid4

from local.partner_center.calls import FAMILY, Call, Subject, subject_of
from local.partner_center.gateway import Gateway
from local.partner_center.journal import Journal
from local.partner_center.ledger import Ledger
from local.partner_center.memory import Memory
from local.partner_center.replies import CUT, Reply, error_reply, filled, json_reply
from local.partner_center.scenario import Scenario
from local.partner_center.script import ScenarioDocument, Script
from local.partner_center.steps import Step, normal
from local.partner_center.switches import SwitchBoard
from local.partner_center.tokens import Tokens
from local.partner_center.upgrades import IN_PROGRESS, Upgrade, Upgrades

SERVER_ID = "local"


@dataclass(frozen=True)
class Arrival:
    """A call that has arrived, and what will become of it; `wait_s` is to be waited before `PartnerCenter.act`."""

    call: Call
    subject: Subject
    number: int
    step: Step
    refusal: Reply | None

    @property
    def wait_s(self) -> float:
        return self.step.wait_s


class PartnerCenter:
    """`clock` gives seconds since the epoch."""

    def __init__(self, journal: Journal, board: SwitchBoard, tokens: Tokens, clock: Callable[[], float]) -> None:
        self.upgrades = Upgrades(journal, clock)
        self.ledger = Ledger(journal)
        self._script = Script(journal)
        self._memory = Memory(journal)
        self._gateway = Gateway(board, clock)
        self._board = board
        self._tokens = tokens
        self._lock = journal.lock
        self._clock = clock

    def assign(self, customer_id: str, document: ScenarioDocument) -> None:
        """Lets the customer's calls follow a scenario from now on; makes the upgrade that it begins with.

        Raises:
            ScenarioError: it is none.
        """
        with self._lock:
            scenario = self._script.assign(customer_id, document)
            if scenario.existing:
                subject = Subject(customer_id.lower(), FAMILY)
                self.upgrades.create(subject, scenario.existing_course, call=None, ms_request_id=None)

    def arrive(self, call: Call) -> Arrival:
        """A call has been read in full; it takes its place in the ledger, in limits and in its customer's scenario."""
        with self._lock:
            subject = subject_of(call)
            number = self.ledger.opened(call, subject, self._clock())
            refusal = (
                self._gateway.refusal()
                or self._tokens.refusal(call.headers)
                or self._memory.recall(call.ms_request_id)
                or subject.problem
            )
            step = normal() if refusal else self._next_step(call, subject)
            return Arrival(call, subject, number, step, refusal)

    def act(self, arrival: Arrival) -> Reply:
        """Does what the call asks for, once per MS-RequestId; `Reply.late_s` is to be waited before it is sent."""
        call = arrival.call
        with self._lock:
            # Looked up again: the same id may have been answered while this call waited.
            reply = arrival.refusal or self._memory.recall(call.ms_request_id)
            if reply:
                self._memory.keep(call.ms_request_id, reply)
            else:
                reply = self._performed(arrival)
            late_s = reply.late_s + self._board.switches.api_latency_s
            return replace(reply, late_s=late_s, headers={**reply.headers, **self._service_headers(call, reply)})

    def end(self, arrival: Arrival, reply: Reply, *, client_gone: bool) -> None:
        """The answer is about to be sent, or there is nobody left to send it to."""
        self.ledger.ended(arrival.number, reply, self._clock(), client_gone=client_gone)

    def _next_step(self, call: Call, subject: Subject) -> Step:
        if call.kind == "status" and self.upgrades.get(call.upgrade_id) is None:
            return normal()  # steps are for upgrades that exist: one that vanished stays so
        return self._script.next_step(subject, call.kind)

    def _performed(self, arrival: Arrival) -> Reply:
        step, ms_request_id = arrival.step, arrival.call.ms_request_id
        if step.vanishes and (lost := self.upgrades.get(arrival.call.upgrade_id)):
            self.upgrades.vanish(lost)
        own = self._filled(arrival, self._processed(arrival)) if step.acts else None
        said = self._filled(arrival, step.reply) if step.reply else own or CUT
        self._memory.keep(ms_request_id, own or said)
        return replace(said, late_s=step.late_s, cut=step.cut, stream=step.stream)

    def _filled(self, arrival: Arrival, reply: Reply) -> Reply:
        upgrade = self.upgrades.current(arrival.subject)
        facts = {
            "id": upgrade.id if upgrade else "",
            "customerId": arrival.subject.customer_id or "",
            "api": f"http://{arrival.call.headers.get('host', 'localhost')}",
        }
        return filled(reply, facts, self._clock())

    def _processed(self, arrival: Arrival) -> Reply:
        match arrival.call.kind:
            case "create":
                return self._create(arrival)
            case "status":
                return self._status(arrival)
            case "eligibility":
                return self._eligibility(arrival.subject)

    def _create(self, arrival: Arrival) -> Reply:
        subject, step = arrival.subject, arrival.step
        upgrade = self.upgrades.current(subject)
        if upgrade and upgrade.state == IN_PROGRESS:
            return error_reply(409, 900109, f"An upgrade is in progress for the customer; its id is {upgrade.id}.")
        if upgrade and upgrade.state == "completed":
            return error_reply(400, 900110, f"A completed upgrade exists for the customer; its id is {upgrade.id}.")
        course = self._script.scenario(subject).course
        self.upgrades.create(subject, course, call=arrival.number, ms_request_id=arrival.call.ms_request_id)
        headers = {} if step.location is None else {"Location": step.location}
        return Reply(202, step.body.encode(), headers)

    def _status(self, arrival: Arrival) -> Reply:
        upgrade = self.upgrades.get(arrival.call.upgrade_id)
        if upgrade is None or upgrade.customer_id != arrival.subject.customer_id:
            return self._not_theirs(arrival, upgrade)
        if arrival.step.word:
            return json_reply(200, upgrade.document() | {"status": arrival.step.word.value})
        return json_reply(200, self.upgrades.poll(upgrade).document())

    def _not_theirs(self, arrival: Arrival, found: Upgrade | None) -> Reply:
        theirs = self.upgrades.current(arrival.subject)
        if found and theirs:
            text = f"The upgrade id is not of this customer, who is mapped to the upgrade {theirs.id}."
            return error_reply(400, 900111, text)
        return error_reply(404, 900106, "No upgrade request was found.")

    def _eligibility(self, subject: Subject) -> Reply:
        content: dict[str, object] = {"customerId": subject.customer_id, "productFamily": subject.family}
        upgrade = self.upgrades.current(subject)
        reason = _refused_for_good(self._script.scenario(subject))
        if upgrade and upgrade.state != "failed":
            content |= {"upgradeId": upgrade.id}
            reason = f"The upgrade of this customer is {upgrade.state}."
        return json_reply(200, content | {"isEligible": reason is None} | ({"reason": reason} if reason else {}))

    def _service_headers(self, call: Call, reply: Reply) -> Mapping[str, str]:
        if not reply.from_service:
            return {}
        headers = {"MS-CV": f"{uuid4().hex[:22]}.0", "MS-ServerId": SERVER_ID}
        echoed = {"MS-RequestId": "ms-requestid", "MS-CorrelationId": "ms-correlationid"}
        headers |= {name: call.headers[key] for name, key in echoed.items() if key in call.headers}
        grant = self._tokens.access_grant(call.headers)
        if grant and call.headers.get("validatemfa", "").lower() == "true":
            headers["isMfaCompliant"] = str(grant.mfa).lower()
        return headers


def _refused_for_good(scenario: Scenario) -> str | None:
    """A reason, if the customer's create calls are refused from the first one on."""
    first = scenario.create[0] if scenario.create else normal()
    refused = first.times is None and first.reply and first.reply.http in (400, 403)
    return "The upgrade would be refused." if refused else None
