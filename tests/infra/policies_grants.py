"""Policies: who is granted what, on what. The grants are compared as a whole, so that one too many shows as well."""

from collections.abc import Iterator

from shared.upgrade_store import TABLES
from tests.infra.arm import Deployment, Resource
from tests.infra.complaints import Complaints, Policy, unequal
from tests.infra.policies_access import COMPONENT, NAMESPACE, SECRET, STORAGE, VAULT
from tests.infra.policies_platform import IDENTITY, QUEUE, TABLE

ASSIGNMENT = "Microsoft.Authorization/roleAssignments"

# Built-in role definitions ("Azure built-in roles").
ROLES = {
    "Key Vault Certificates Officer": "a4417e6f-fecd-4de8-b567-7b0420556985",
    "Key Vault Secrets Officer": "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
    "Monitoring Metrics Publisher": "3913510d-42f4-4e42-8a64-420c390055eb",
    "Reader": "acdd72a7-3385-48ef-bd42-f606fba81ae7",
    "Azure Service Bus Data Owner": "090c5cfd-751d-490a-894a-3ce6f1109419",
    "Azure Service Bus Data Receiver": "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0",
    "Azure Service Bus Data Sender": "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39",
    "Storage Blob Data Owner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "Storage Table Data Contributor": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
    "Storage Table Data Reader": "76199698-9eea-4c19-bc75-cec21354c6b6",
}
_NAMES = {guid: name for name, guid in ROLES.items()}

type Grant = tuple[str, str, str]
"""Who (object id), which role, on what (a word, or the name of the table or secret)."""


def granted(deployment: Deployment) -> list[Grant]:
    return [_grant(assignment, deployment) for assignment in _assignments(deployment)]


def everybody_is_granted_what_the_work_needs_and_no_more(deployment: Deployment) -> Complaints:
    found, expected = set(granted(deployment)), set(_expected(deployment))
    yield from (f"missing: {grant}" for grant in sorted(expected - found))
    yield from (f"too much: {grant}" for grant in sorted(found - expected))


def no_role_is_granted_twice(deployment: Deployment) -> Complaints:
    """Azure refuses the second one, under whatever name."""
    grants = granted(deployment)
    yield from (f"twice: {grant}" for grant in sorted(set(grants)) if grants.count(grant) > 1)
    names = [(assignment.scope, assignment.name) for assignment in _assignments(deployment)]
    yield from unequal("the number of names", len(set(names)), len(names))


def every_grant_has_its_reason_and_stands_in_one_file(deployment: Deployment) -> Complaints:
    for assignment in _assignments(deployment):
        if assignment.module != "roles":
            yield f"{assignment.module} grants a role"
        if len(assignment.properties.get("description", "")) < 20:
            yield f"{_grant(assignment, deployment)} has no reason"


def principals_are_what_they_were_said_to_be(deployment: Deployment) -> Complaints:
    """Without its type Azure looks a new identity up before it can be found."""
    types = {_app(deployment): "ServicePrincipal"}
    for people in ("producers", "operators", "administrators"):
        types |= {person["principalId"]: person["principalType"] for person in deployment.parameters[people]}
    for assignment in _assignments(deployment):
        principal = assignment.properties["principalId"]
        yield from unequal(f"the type of {principal}", assignment.properties.get("principalType"), types[principal])


def _expected(deployment: Deployment) -> Iterator[Grant]:
    parameters = deployment.parameters
    app, certificate = _app(deployment), parameters["clientCertificateName"]
    client_secret, refresh_token = parameters["clientSecretName"], parameters["refreshTokenSecretName"]
    producers, operators, administrators = (
        {person["principalId"] for person in parameters[people]}
        for people in ("producers", "operators", "administrators")
    )
    yield app, "Azure Service Bus Data Receiver", "queue"
    if parameters["grantServiceBusDataOwner"]:
        yield app, "Azure Service Bus Data Owner", "queue"
    yield app, "Storage Blob Data Owner", "storage account"
    yield app, "Monitoring Metrics Publisher", "Application Insights"
    yield app, "Key Vault Secrets User", "vault" if certificate else client_secret
    for who in {app} | administrators:
        yield who, "Key Vault Secrets Officer", refresh_token
        yield from ((who, "Storage Table Data Contributor", table) for table in TABLES)
    for who in producers | operators | administrators:
        yield who, "Azure Service Bus Data Sender", "queue"
    for who in operators | administrators:
        yield who, "Azure Service Bus Data Receiver", "queue"
        yield from ((who, "Storage Table Data Reader", table) for table in TABLES)
    for who in administrators:
        yield who, "Reader", "resource group"
        if certificate:
            yield who, "Key Vault Certificates Officer", "vault"
            yield who, "Key Vault Secrets User", "vault"
        else:
            yield who, "Key Vault Secrets Officer", client_secret


def _grant(assignment: Resource, deployment: Deployment) -> Grant:
    role = assignment.properties["roleDefinitionId"].rsplit("/", 1)[-1]
    return assignment.properties["principalId"], _NAMES.get(role, role), _scope(assignment.scope, deployment)


def _scope(scope: str, deployment: Deployment) -> str:
    """In words; the id itself where it is of no resource of this deployment."""
    words = {"": "resource group", deployment.one(QUEUE).id: "queue", deployment.one(STORAGE).id: "storage account"}
    words |= {deployment.one(NAMESPACE).id: "namespace", deployment.one(VAULT).id: "vault"}
    words |= {deployment.one(COMPONENT).id: "Application Insights"}
    for kind in (TABLE, SECRET):
        words |= {resource.id: resource.name.rsplit("/", 1)[-1] for resource in deployment.of_type(kind)}
    return words.get(scope, scope)


def _assignments(deployment: Deployment) -> list[Resource]:
    return deployment.of_type(ASSIGNMENT)


def _app(deployment: Deployment) -> str:
    return f"principal-of-{deployment.one(IDENTITY).name}"


GRANTS: tuple[Policy, ...] = (
    everybody_is_granted_what_the_work_needs_and_no_more,
    no_role_is_granted_twice,
    every_grant_has_its_reason_and_stands_in_one_file,
    principals_are_what_they_were_said_to_be,
)
