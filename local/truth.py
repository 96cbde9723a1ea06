"""Whether the results tell the truth: compares them with what the fake Partner Center knows.

An oracle of its own: nothing here uses the code that it judges, but for the request's identity.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shared.models import Status, UpgradeRequest, UpgradeResult

type Key = tuple[str, str, str]
type Entry = Mapping[str, Any]
_VERDICTS_OF_THE_SERVICE = {Status.COMPLETED, Status.PARTIALLY_COMPLETED, Status.FAILED}


def key_of(subject: UpgradeRequest | UpgradeResult) -> Key:
    """A request is customer, family and request id together."""
    return subject.customer_id, subject.product_family.lower(), subject.request_id


def violations(
    requests: Iterable[UpgradeRequest], results: Sequence[UpgradeResult], ledger: Mapping[str, list[Entry]]
) -> list[str]:
    """Everything that is wrong, in words; empty where each request has exactly one result and each is true."""
    expected = {key_of(request): request for request in requests}
    found = {key_of(result): result for result in results}
    wrong = [f"{key}: no result" for key in expected if key not in found]
    wrong += [f"{key}: a result that nobody asked for" for key in found if key not in expected]
    truth = _Truth(ledger, found)
    for key, result in found.items():
        wrong += [f"{key}: {problem}" for problem in truth.problems(result)]
    return wrong


class _Truth:
    """The ledger, by what its calls belong to: a request's calls all carry its correlation id."""

    def __init__(self, ledger: Mapping[str, list[Entry]], results: Mapping[Key, UpgradeResult]) -> None:
        self._upgrades = {upgrade["id"]: upgrade for upgrade in ledger["upgrades"]}
        self._results = results
        self._creates = defaultdict[str, list[Entry]](list)
        for call in ledger["calls"]:
            if call["kind"] == "create":
                self._creates[call["correlationId"]].append(call)

    def problems(self, result: UpgradeResult) -> list[str]:
        creates = self._creates[result.correlation_id]
        own = [self._upgrades[call["upgradeId"]] for call in creates if call["created"]]
        vanished = sum(upgrade["state"] == "vanished" for upgrade in own)
        problems = [f"{len(own)} upgrades were created"] if len(own) > 1 + vanished else []
        if result.status in _VERDICTS_OF_THE_SERVICE or result.status is Status.TIMED_OUT:
            problems += self._compare(result, own)
        elif own:
            problems.append(f"ended as {result.status}, and an upgrade was created")
        elif result.status is Status.REJECTED:
            problems += _compare_refusal(result, creates)
        elif result.status is Status.DUPLICATE:
            problems += self._compare_duplicate(result)
        return problems

    def _compare(self, result: UpgradeResult, own: list[Entry]) -> list[str]:
        upgrade = self._upgrades.get(result.upgrade_id or "")
        if upgrade is None:
            return [f"ended as {result.status} of an upgrade that does not exist"]
        if upgrade["customerId"] != result.customer_id:
            return ["ended with another customer's upgrade"]
        true = _verdict(upgrade)
        twice_lost = len(own) == 2 and all(lost["state"] == "vanished" for lost in own)
        if twice_lost:
            true = Status.FAILED
        return [] if true is result.status else [f"ended as {result.status}, the truth is {true or upgrade['state']}"]

    def _compare_duplicate(self, result: UpgradeResult) -> list[str]:
        """A duplicate may be one of a duplicate; in the end there is a verdict."""
        customer_id, family, _ = key_of(result)
        seen = set[str]()
        answered_by: UpgradeResult | None = result
        while answered_by and answered_by.duplicate_of and answered_by.request_id not in seen:
            seen.add(answered_by.request_id)
            answered_by = self._results.get((customer_id, family, answered_by.duplicate_of))
        if answered_by is None or answered_by.status is Status.DUPLICATE:
            return [f"a duplicate of {result.duplicate_of}, which leads to no verdict"]
        return []


def _verdict(upgrade: Entry) -> Status | None:
    """By the table of verdicts. `TimedOut` for what has not ended."""
    words = [item["status"] for item in upgrade["lineItems"]]
    if upgrade["state"] == "in progress":
        return Status.TIMED_OUT
    if upgrade["state"] == "completed":
        if words and all(word == "failed" for word in words):
            return Status.FAILED
        return Status.PARTIALLY_COMPLETED if "failed" in words else Status.COMPLETED
    if upgrade["state"] == "failed":
        return Status.PARTIALLY_COMPLETED if "completed" in words else Status.FAILED
    return None


def _compare_refusal(result: UpgradeResult, creates: list[Entry]) -> list[str]:
    last = max(creates, key=lambda call: call["sequence"], default=None)
    if last is None or not isinstance(last["http"], int) or not 400 <= last["http"] < 500:
        return ["ended as Rejected, and the last answer was no refusal"]
    if last["code"] is not None and str(last["code"]) != result.error_code:
        return [f"ended as Rejected with {result.error_code}, the answer was {last['code']}"]
    return []
