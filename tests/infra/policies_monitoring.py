"""Policies: what the platform logs, where it goes, and the page that shows it."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from tests.infra.arm import Deployment
from tests.infra.complaints import Complaints, Policy, differs, unequal, within
from tests.infra.policies_access import COMPONENT, NAMESPACE, STORAGE, VAULT, WORKSPACE
from tests.infra.policies_alerts import QUERIES

DIAGNOSTICS = "Microsoft.Insights/diagnosticSettings"
WORKBOOK = "Microsoft.Insights/workbooks"
_TYPE_OF_QUERIES = "microsoft.operationalinsights/workspaces"


def changes_and_secrets_are_logged_and_nothing_that_is_only_dear(deployment: Deployment) -> Complaints:
    """Reads of tables would be most of the bill, and Azure keeps metrics anyway."""
    expected = {
        deployment.one(NAMESPACE).id: {"OperationalLogs"},
        deployment.one(VAULT).id: {"AuditEvent"},
        f"{deployment.one(STORAGE).id}/tableServices/default": {"StorageWrite", "StorageDelete"},
    }
    settings = deployment.of_type(DIAGNOSTICS)
    found = {setting.scope: _categories(setting.properties) for setting in settings}
    yield from unequal("what is logged", found, expected)
    for setting in settings:
        yield from differs(setting, workspaceId=deployment.one(WORKSPACE).id)


def the_workbook_has_a_name_that_azure_takes_and_its_place(deployment: Deployment) -> Complaints:
    workbook = deployment.one(WORKBOOK)
    try:
        uuid.UUID(workbook.name)
    except ValueError:
        yield f"the workbook's name is no GUID: {workbook.name}"
    if deployment.parameters["environmentName"] not in workbook.properties["displayName"]:
        yield "the workbook's title does not name the environment"
    yield from unequal("the workbook's kind", workbook.body.get("kind"), "shared")
    yield from differs(workbook, sourceId=deployment.one(COMPONENT).id, category="workbook")


def the_workbook_shows_every_query_of_its_own(deployment: Deployment) -> Complaints:
    """Over the workspace, and over the time range that its reader chose."""
    files = {file.stem: file.read_text() for file in (QUERIES / "workbook").glob("*.kql")}
    tiles = {item["name"]: item["content"] for item in _items(deployment) if item["type"] == 3}
    yield from unequal("the queries' tiles", {name: tile["query"] for name, tile in tiles.items()}, files)
    for name, tile in tiles.items():
        yield from unequal(f"{name}: where it looks", tile["crossComponentResources"], [deployment.one(WORKSPACE).id])
        yield from unequal(f"{name}: in what", tile["resourceType"], _TYPE_OF_QUERIES)
        yield from _follows_the_time_range(deployment, name, tile)


def the_workbook_shows_dead_letters(deployment: Deployment) -> Complaints:
    tiles = [item["content"] for item in _items(deployment) if item["type"] == 10]
    shown = {metric["metric"]: metric["aggregation"] for tile in tiles for metric in tile["metrics"]}
    yield from unequal("dead letters", shown.get("microsoft.servicebus/namespaces--DeadletteredMessages"), 3)
    for tile in tiles:
        yield from unequal("whose metrics", tile["resourceIds"], [deployment.one(NAMESPACE).id])
        yield from _follows_the_time_range(deployment, tile["title"], tile)


def _follows_the_time_range(deployment: Deployment, name: str, tile: Mapping[str, Any]) -> Complaints:
    contents = [item["content"] for item in _items(deployment) if item["type"] == 9]
    known = {parameter["name"] for content in contents for parameter in content["parameters"] if parameter["type"] == 4}
    if tile.get("timeContextFromParameter") not in known:
        yield f"{name} does not follow the workbook's time range"


def _items(deployment: Deployment) -> list[dict[str, Any]]:
    return list(json.loads(deployment.one(WORKBOOK).properties["serializedData"])["items"])


def _categories(properties: Mapping[str, Any]) -> set[str]:
    """Of logs and metrics, those that are switched on."""
    entries = [*properties.get("logs", []), *properties.get("metrics", [])]
    return {str(within(entry, "category")) for entry in entries if entry.get("enabled")}


MONITORING: tuple[Policy, ...] = (
    changes_and_secrets_are_logged_and_nothing_that_is_only_dear,
    the_workbook_has_a_name_that_azure_takes_and_its_place,
    the_workbook_shows_every_query_of_its_own,
    the_workbook_shows_dead_letters,
)
