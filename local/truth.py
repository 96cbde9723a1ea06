"""Whether the results tell the truth: compares them with what the fake Partner Center knows.

An oracle of its own: nothing here uses the code that it judges, but for the request's identity.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from local.ledger_calls import IN_PLACE_CODES, Call, calls_of, is_known_lost
from shared.models import Status, UpgradeRequest, UpgradeResult

type Key = tuple[str, str, str]
type Ledger = Mapping[str, Any]
type Upgrade = Mapping[str, Any]
type Problem = tuple[Key, str]
_VERDICTS_OF_THE_SERVICE = {Status.COMPLETED, Status.PARTIALLY_COMPLETED, Status.FAILED}
_MOST = 2  # one that was lost is replaced once
_ANY_TIME = datetime.fromtimestamp(0, UTC)


def key_of(subject: UpgradeRequest | UpgradeResult) -> Key:
    """A request is customer, family and request id together."""
    return subject.customer_id, subject.product_family.lower(), subject.request_id


def correlation_of(key: Key) -> str:
    """What all calls of a request carry."""
    return UpgradeRequest(*key, requested_at=_ANY_TIME).correlation_id


def violations(requests: Iterable[UpgradeRequest], results: Sequence[UpgradeResult], ledger: Ledger) -> list[str]:
    """Everything that is wrong, in words; empty where each request has exactly one result and each is true."""
    expected = {key_of(request): None for request in requests}
    problems = [*result_problems(expected, results, ledger), *creation_problems(expected, ledger)]
    return [f"{key}: {problem}" for key, problem in problems]


def result_problems(expected: Iterable[Key], results: Sequence[UpgradeResult], ledger: Ledger) -> list[Problem]:
    """Results that are missing, too many, or not true. `expected`: the requests, each once."""
    asked = list(expected)
    found = {key_of(result): result for result in results}
    counts = Counter(map(key_of, results))
    problems = [(key, "no result") for key in asked if key not in found]
    problems += [(key, "a result that nobody asked for") for key in sorted(found.keys() - asked)]
    problems += [(key, f"{count} results") for key, count in counts.items() if count > 1]
    truth = _Truth(ledger, found)
    return problems + [(key, problem) for key, result in found.items() for problem in truth.problems(key, result)]


def creation_problems(expected: Iterable[Key], ledger: Ledger) -> list[Problem]:
    """Requests of which more than one upgrade was made, but for one that was known to be lost."""
    upgrades = {upgrade["id"]: upgrade for upgrade in ledger["upgrades"]}
    calls = _by_correlation(ledger)
    problems = []
    for key in expected:
        own = calls[correlation_of(key)]
        creates = [call for call in own if call.created]
        if len(creates) > _MOST or any(not _is_replaced(*both, own, upgrades) for both in pairwise(creates)):
            problems.append((key, f"{len(creates)} upgrades were created"))
    return problems


def verdict_of(result: UpgradeResult, results: Mapping[Key, UpgradeResult]) -> UpgradeResult | None:
    """The verdict that answers it: a duplicate may be one of a duplicate. None where that leads to none."""
    customer_id, family, _ = key_of(result)
    seen = set[str]()
    found: UpgradeResult | None = result
    while found and not found.is_verdict and found.request_id not in seen:
        seen.add(found.request_id)
        found = results.get((customer_id, family, found.duplicate_of or ""))
    return found if found and found.is_verdict else None


def _by_correlation(ledger: Ledger) -> defaultdict[str, list[Call]]:
    calls = defaultdict[str, list[Call]](list)
    for call in calls_of(ledger):
        calls[call.correlation_id].append(call)
    return calls


def _is_replaced(before: Call, after: Call, calls: list[Call], upgrades: Mapping[str, Upgrade]) -> bool:
    """Whether the upgrade of the first call was gone, and the client knew, when it made the second."""
    if upgrades[before.upgrade_id or ""]["state"] != "vanished":
        return False
    return is_known_lost(calls, after_s=before.started_s, before_s=after.started_s)


class _Truth:
    """The ledger, by what its calls belong to."""

    def __init__(self, ledger: Ledger, results: Mapping[Key, UpgradeResult]) -> None:
        self._upgrades: dict[str, Upgrade] = {upgrade["id"]: upgrade for upgrade in ledger["upgrades"]}
        self._of_customer = defaultdict[str, list[Upgrade]](list)
        for upgrade in ledger["upgrades"]:
            self._of_customer[upgrade["customerId"]].append(upgrade)
        self._results = results
        self._calls = _by_correlation(ledger)

    def problems(self, key: Key, result: UpgradeResult) -> list[str]:
        calls = self._calls[correlation_of(key)]
        # One that vanished is nobody's any more.
        own = [call.upgrade_id for call in calls if call.created and not self._is_lost(call.upgrade_id)]
        if result.status in _VERDICTS_OF_THE_SERVICE or result.status is Status.TIMED_OUT:
            if own and result.upgrade_id not in own:
                return [f"ended with the upgrade {result.upgrade_id}, and {own[-1]} was created"]
            return self._compare(result, calls)
        if own:
            return [f"ended as {result.status}, and an upgrade was created"]
        if result.status is Status.REJECTED:
            return _compare_refusal(result, calls) or self._missed(result)
        if result.status is Status.DUPLICATE and verdict_of(result, self._results) is None:
            return [f"a duplicate of {result.duplicate_of}, which leads to no verdict"]
        return []

    def _is_lost(self, upgrade_id: str | None) -> bool:
        upgrade = self._upgrades.get(upgrade_id or "")
        return upgrade is not None and upgrade["state"] == "vanished"

    def _compare(self, result: UpgradeResult, calls: list[Call]) -> list[str]:
        upgrade = self._upgrades.get(result.upgrade_id or "")
        if upgrade is None:
            return [f"ended as {result.status} of an upgrade that does not exist"]
        if upgrade["customerId"] != result.customer_id:
            return ["ended with another customer's upgrade"]
        if result.status is Status.TIMED_OUT:
            return _compare_timeout(result, upgrade, calls)
        if self._is_lost(result.upgrade_id):
            if upgrade.get("endedS"):
                return []  # gone after its end: nobody knows any more which one that was
            lost = {call.upgrade_id for call in calls if self._is_lost(call.upgrade_id)}
            true = Status.FAILED if len(lost) > 1 else None  # created again once, and lost again
        else:
            true = _verdict(upgrade)
        return [] if true is result.status else [f"ended as {result.status}, the truth is {true or upgrade['state']}"]

    def _missed(self, result: UpgradeResult) -> list[str]:
        """A refusal because of an upgrade that is there leads to that upgrade."""
        there = [upgrade["id"] for upgrade in self._of_customer[result.customer_id] if _is_in_place(upgrade, result)]
        if result.error_code in IN_PLACE_CODES and there:
            return [f"ended as Rejected with {result.error_code}, and the upgrade {there[-1]} is in place"]
        return []


def _verdict(upgrade: Upgrade) -> Status | None:
    """By the table of verdicts. None for what has not ended."""
    words = [item["status"] for item in upgrade["lineItems"]]
    if upgrade["state"] == "completed":
        if words and all(word == "failed" for word in words):
            return Status.FAILED
        return Status.PARTIALLY_COMPLETED if "failed" in words else Status.COMPLETED
    if upgrade["state"] == "failed":
        return Status.PARTIALLY_COMPLETED if "completed" in words else Status.FAILED
    return None


def _compare_timeout(result: UpgradeResult, upgrade: Upgrade, calls: list[Call]) -> list[str]:
    """The last answer before it must not have told an end. After it another request, or a repeat, may have gone on."""
    finished_s = result.finished_at.timestamp()
    asked = [call for call in calls if call.kind == "status" and call.upgrade_id == upgrade["id"]]
    answered = [call for call in asked if call.ended_by(finished_s) and (call.is_accepted or call.is_refused)]
    if not answered:
        return ["ended as TimedOut, and no status call was answered"]
    last = max(answered, key=lambda call: call.sequence)
    beside = [call for call in asked if call is not last and call.started_s < (last.ended_s or 0.0)]
    if any(not call.ended_by(last.started_s) for call in beside):
        return []  # of two at the same time nobody knows which one was concluded from, or has met the end
    ended_s = upgrade.get("endedS") or 0.0  # not told: long ago
    has_ended = _verdict(upgrade) is not None and ended_s <= (last.ended_s or 0.0)
    told = has_ended and last.is_accepted
    return [f"ended as TimedOut, the truth is {_verdict(upgrade)}"] if told else []


def _compare_refusal(result: UpgradeResult, calls: list[Call]) -> list[str]:
    refused = [call for call in calls if call.kind == "create" and call.is_refused]
    last = max(refused, key=lambda call: call.sequence, default=None)
    if last is None:
        return ["ended as Rejected, and no refusal was delivered"]
    if last.code != result.error_code:
        return [f"ended as Rejected with {result.error_code}, the answer was {last.code}"]
    return []


def _is_in_place(upgrade: Upgrade, result: UpgradeResult) -> bool:
    is_earlier = upgrade["createdS"] <= result.finished_at.timestamp()
    return is_earlier and upgrade["state"] in ("in progress", "completed")
