"""Policies: what the system runs on, and that every template explains itself."""

from shared.upgrade_store import TABLES
from tests.infra.arm import Deployment, Resource, declared
from tests.infra.complaints import Complaints, Policy, differs, each, unequal, within
from tests.infra.policies_access import COMPONENT, NAMESPACE, SITE, STORAGE, VAULT, WORKSPACE

PLAN = "Microsoft.Web/serverfarms"
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
CONTAINER = f"{STORAGE}/blobServices/containers"
TABLE = f"{STORAGE}/tableServices/tables"
QUEUE = f"{NAMESPACE}/queues"

# Flex Consumption refuses a site that names one of them.
_NOT_ON_FLEX = {
    "alwaysOn", "ftpsState", "functionAppScaleLimit", "functionsRuntimeScaleMonitoringEnabled", "linuxFxVersion",
    "netFrameworkVersion", "preWarmedInstanceCount", "use32BitWorkerProcess", "windowsFxVersion",
}  # fmt: skip
# Parts and properties of other resources.
_UNTAGGED = (
    "Microsoft.Authorization/", "Microsoft.Insights/diagnosticSettings", f"{NAMESPACE}/", f"{SITE}/", f"{STORAGE}/",
    f"{VAULT}/",
)  # fmt: skip


def the_queue_is_as_the_hold_needs_it(deployment: Deployment) -> Complaints:
    yield from each(
        deployment,
        QUEUE,
        lockDuration="PT1M",
        maxDeliveryCount=30,
        defaultMessageTimeToLive="P14D",
        deadLetteringOnMessageExpiration=True,
        requiresDuplicateDetection=False,
        requiresSession=False,
    )
    name = f"{deployment.one(NAMESPACE).name}/{deployment.parameters['queueName']}"
    yield from unequal("the queue", deployment.one(QUEUE).name, name)


def the_namespace_is_of_the_tier_that_was_asked_for(deployment: Deployment) -> Complaints:
    tier = deployment.parameters["serviceBusSku"]
    expected = {"name": tier, "tier": tier}
    if tier == "Premium":
        expected["capacity"] = deployment.parameters["serviceBusCapacity"]
    yield from unequal("the namespace's sku", deployment.one(NAMESPACE).body["sku"], expected)


def the_tables_are_those_of_the_code(deployment: Deployment) -> Complaints:
    account = deployment.one(STORAGE).name
    found = {table.name for table in deployment.of_type(TABLE)}
    yield from unequal("the tables", found, {f"{account}/default/{table}" for table in TABLES})


def the_plan_is_flex_consumption(deployment: Deployment) -> Complaints:
    plan, site = deployment.one(PLAN), deployment.one(SITE)
    yield from unequal("the plan's sku", plan.body["sku"], {"name": "FC1", "tier": "FlexConsumption"})
    yield from differs(plan, reserved=True)
    yield from unequal("the site's plan", site.properties["serverFarmId"], plan.id)
    yield from unequal("the site's kind", site.body["kind"], "functionapp,linux")
    yield from (f"Flex Consumption refuses {name}" for name in sorted(_NOT_ON_FLEX & set(_site_configuration(site))))


def the_site_runs_the_python_that_the_code_is_for(deployment: Deployment) -> Complaints:
    yield from each(
        deployment,
        SITE,
        functionAppConfig__runtime={"name": "python", "version": "3.13"},
        functionAppConfig__scaleAndConcurrency={"instanceMemoryMB": 2048, "maximumInstanceCount": 40},
    )


def the_site_is_the_one_identity(deployment: Deployment) -> Complaints:
    expected = {"type": "UserAssigned", "userAssignedIdentities": {deployment.one(IDENTITY).id: {}}}
    yield from unequal("the site's identity", deployment.one(SITE).body.get("identity"), expected)


def the_package_comes_from_a_container_of_ours(deployment: Deployment) -> Complaints:
    container = deployment.one(CONTAINER).name.split("/")
    identity = {
        "type": "UserAssignedIdentity",
        "userAssignedIdentityResourceId": deployment.one(IDENTITY).id,
    }
    yield from each(
        deployment,
        SITE,
        functionAppConfig__deployment__storage={
            "type": "blobContainer",
            "value": f"https://{container[0]}.blob.example/{container[-1]}",
            "authentication": identity,
        },
    )


def the_site_is_made_after_its_grants(deployment: Deployment) -> Complaints:
    """Creating it opens the container; the grants come after everything that they are on."""
    modules = declared(deployment.template)
    if "roles" not in modules["functionApp"].get("dependsOn", []):
        yield "the site does not wait for the roles"
    needed = {"identity", "monitoring", "storage", "serviceBus", "keyVault"}
    yield from unequal("what the roles wait for", needed - set(modules["roles"].get("dependsOn", [])), set())


def the_log_lies_in_the_workspace(deployment: Deployment) -> Complaints:
    workspace = deployment.one(WORKSPACE)
    yield from each(deployment, COMPONENT, WorkspaceResourceId=workspace.id, Application_Type="web")
    yield from differs(workspace, sku__name="PerGB2018", retentionInDays=deployment.parameters["logRetentionDays"])


def everything_is_tagged(deployment: Deployment) -> Complaints:
    environment = deployment.parameters["environmentName"]
    for resource in deployment.resources:
        if not resource.type.startswith(_UNTAGGED) and within(resource.body, "tags__azd-env-name") != environment:
            yield f"{resource.name} does not carry the environment's tag"
    yield from unequal("azd-service-name", deployment.one(SITE).body["tags"].get("azd-service-name"), "functions")


def names_are_unique_to_the_environment(deployment: Deployment) -> Complaints:
    token = deployment.one(SITE).name.removeprefix("func-")
    yield from unequal("the length of the names' token", len(token), 13)
    for kind in (PLAN, STORAGE, NAMESPACE, VAULT, IDENTITY, COMPONENT, WORKSPACE):
        if not deployment.one(kind).name.endswith(token):
            yield f"{deployment.one(kind).name} may be taken"


def every_parameter_and_output_is_described(deployment: Deployment) -> Complaints:
    for module, template in deployment.templates():
        for name, body in [*template.get("parameters", {}).items(), *template.get("outputs", {}).items()]:
            if not body.get("metadata", {}).get("description"):
                yield f"{module}: {name} has no description"


def _site_configuration(site: Resource) -> set[str]:
    return {*site.properties, *site.properties.get("siteConfig", {})}


PLATFORM: tuple[Policy, ...] = (
    the_queue_is_as_the_hold_needs_it,
    the_namespace_is_of_the_tier_that_was_asked_for,
    the_tables_are_those_of_the_code,
    the_plan_is_flex_consumption,
    the_site_runs_the_python_that_the_code_is_for,
    the_site_is_the_one_identity,
    the_package_comes_from_a_container_of_ours,
    the_site_is_made_after_its_grants,
    the_log_lies_in_the_workspace,
    everything_is_tagged,
    names_are_unique_to_the_environment,
    every_parameter_and_output_is_described,
)
