"""Policies: a person is called when, and only when, one is needed, and is told what to do."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from tests.infra.arm import Deployment, Resource
from tests.infra.combinations import INFRA
from tests.infra.complaints import Complaints, Policy, differs, each, unequal
from tests.infra.operations_page import chapters
from tests.infra.policies_access import NAMESPACE, WORKSPACE

LOG_ALERT = "Microsoft.Insights/scheduledQueryRules"
METRIC_ALERT = "Microsoft.Insights/metricAlerts"
ACTION_GROUP = "Microsoft.Insights/actionGroups"

QUERIES = INFRA / "queries"
_URGENT = 1
# What Azure takes, in minutes: "Create or edit a log search alert rule".
_WINDOWS = {1, 5, 10, 15, 30, 45, 60, 120, 180, 240, 300, 360, 1440, 2880}
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?")
# metric, aggregation: fires above 0.
_METRICS = {"dead-letters": ("DeadletteredMessages", "Maximum"), "messages-waiting": ("ActiveMessages", "Minimum")}


def every_query_is_an_alert(deployment: Deployment) -> Complaints:
    """It fires when the query has rows: so the queries can be tried without Azure."""
    files = {file.stem: file.read_text() for file in QUERIES.glob("*.kql")}
    found = {name: rule for name, rule in alerts(deployment) if rule.type == LOG_ALERT}
    yield from unequal("the log alerts", sorted(found), sorted(files))
    for name in found.keys() & files.keys():
        yield from differs(found[name], criteria=_has_rows(files[name]), scopes=[deployment.one(WORKSPACE).id])
        yield from unequal(f"{name}: its kind", found[name].body.get("kind"), "LogAlert")


def metric_alerts_watch_our_queue(deployment: Deployment) -> Complaints:
    found = {name: rule for name, rule in alerts(deployment) if rule.type == METRIC_ALERT}
    yield from unequal("the metric alerts", sorted(found), sorted(_METRICS))
    for name in found.keys() & _METRICS.keys():
        yield from differs(found[name], scopes=[deployment.one(NAMESPACE).id], autoMitigate=True)
        criteria = dict(found[name].properties["criteria"])
        expected = [_above_0(name, *_METRICS[name], queue=deployment.parameters["queueName"])]
        yield from unequal(f"{name}: what it watches", criteria.get("allOf"), expected)


def every_alert_says_how_bad_it_is_and_what_to_do(deployment: Deployment) -> Complaints:
    known = chapters()["Alerts"]
    for name, rule in alerts(deployment):
        if rule.properties.get("severity") not in range(5) or rule.properties.get("enabled") is not True:
            yield f"{name} has no severity, or is switched off"
        text, _, link = str(rule.properties.get("description")).rpartition(" ")
        yield from unequal(f"{name}: its link", link, f"{deployment.parameters['runbookUrl']}#{name}")
        if name not in known:
            yield f"{name} has no section in docs/operations.md"
        if len(text) < 40:
            yield f"{name} does not say what to do: {text!r}"


def alerts_are_looked_at_in_time(deployment: Deployment) -> Complaints:
    """Nothing falls between two looks, and what cannot wait is looked for every 5 minutes."""
    for name, rule in alerts(deployment):
        every, window = minutes(rule.properties["evaluationFrequency"]), minutes(rule.properties["windowSize"])
        if not {every, window} <= _WINDOWS or every > window:
            yield f"{name} looks at {window} minutes every {every} minutes"
        if rule.properties["severity"] <= _URGENT and every > 5:
            yield f"{name} is urgent and looked for every {every} minutes only"


def no_alert_tells_the_same_again_and_again(deployment: Deployment) -> Complaints:
    """It resolves itself, or keeps silent for a while. Azure refuses both at once."""
    for name, rule in alerts(deployment):
        muted, resolves = rule.properties.get("muteActionsDuration"), rule.properties.get("autoMitigate")
        if (resolves is True) == (muted is not None):
            yield f"{name}: autoMitigate is {resolves!r}, muteActionsDuration {muted!r}"


def those_who_asked_are_told_and_nobody_else(deployment: Deployment) -> Complaints:
    emails = deployment.parameters["alertEmails"]
    groups = deployment.of_type(ACTION_GROUP)
    yield from unequal("the number of action groups", len(groups), 1 if emails else 0)
    for group in groups:
        receivers = group.properties.get("emailReceivers", [])
        yield from unequal("who is told", [receiver["emailAddress"] for receiver in receivers], emails)
        yield from differs(group, enabled=True)
        others = {name for name, value in group.properties.items() if name.endswith("Receivers") and value}
        yield from unequal("how they are told", others, {"emailReceivers"})
    for name, rule in alerts(deployment):
        yield from unequal(f"{name}: whom it tells", _told(rule), [group.id for group in groups])


def alerts_are_of_the_environment(deployment: Deployment) -> Complaints:
    """A second environment may lie in the same resource group."""
    token = deployment.one(NAMESPACE).name.removeprefix("sb-")
    for resource_type in (LOG_ALERT, METRIC_ALERT):
        yield from each(deployment, resource_type)
    for _, rule in alerts(deployment):
        yield from unequal(f"the name of {rule.name}", rule.name.endswith(f"-{token}"), True)


def alerts(deployment: Deployment) -> Iterator[tuple[str, Resource]]:
    """Each rule by the name of its alert."""
    for resource_type in (LOG_ALERT, METRIC_ALERT):
        for rule in deployment.of_type(resource_type):
            yield rule.name.removeprefix("alert-").rpartition("-")[0], rule


def minutes(duration: str) -> int:
    """Of an ISO 8601 duration; 0 where it is none."""
    found = _DURATION.fullmatch(duration)
    days, hours, left = (int(number or 0) for number in found.groups()) if found else (0, 0, 0)
    return int(timedelta(days=days, hours=hours, minutes=left) / timedelta(minutes=1))


def _has_rows(query: str) -> dict[str, Any]:
    return {
        "allOf": [
            {
                "query": query,
                "timeAggregation": "Count",
                "operator": "GreaterThan",
                "threshold": 0,
                "failingPeriods": {"numberOfEvaluationPeriods": 1, "minFailingPeriodsToAlert": 1},
            }
        ]
    }


def _above_0(name: str, metric: str, aggregation: str, *, queue: str) -> dict[str, Any]:
    return {
        "criterionType": "StaticThresholdCriterion",
        "name": name,
        "metricNamespace": NAMESPACE,
        "metricName": metric,
        "dimensions": [{"name": "EntityName", "operator": "Include", "values": [queue]}],
        "timeAggregation": aggregation,
        "operator": "GreaterThan",
        "threshold": 0,
    }


def _told(rule: Resource) -> list[str]:
    """The two kinds of rules name action groups in different ways."""
    actions = rule.properties.get("actions", [])
    return list(actions["actionGroups"]) if isinstance(actions, dict) else [one["actionGroupId"] for one in actions]


ALERTS: tuple[Policy, ...] = (
    every_query_is_an_alert,
    metric_alerts_watch_our_queue,
    every_alert_says_how_bad_it_is_and_what_to_do,
    alerts_are_looked_at_in_time,
    no_alert_tells_the_same_again_and_again,
    those_who_asked_are_told_and_nobody_else,
    alerts_are_of_the_environment,
)
