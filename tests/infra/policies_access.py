"""Policies: no key, no plain text, no anonymous access; and nothing that a deployment does is a danger to a secret."""

from shared.credentials import PLACEHOLDER
from tests.infra.arm import Deployment, declared
from tests.infra.complaints import Complaints, Policy, differs, each, strings, unequal
from tests.infra.expressions import calls

STORAGE = "Microsoft.Storage/storageAccounts"
NAMESPACE = "Microsoft.ServiceBus/namespaces"
VAULT = "Microsoft.KeyVault/vaults"
SECRET = "Microsoft.KeyVault/vaults/secrets"
SITE = "Microsoft.Web/sites"
COMPONENT = "Microsoft.Insights/components"
WORKSPACE = "Microsoft.OperationalInsights/workspaces"
PUBLISHING = "Microsoft.Web/sites/basicPublishingCredentialsPolicies"

# Names within an expression that lead to a credential.
_SECRETIVE = ("ConnectionString", "InstrumentationKey", "sharedKey", "secretUri", "getSecret")
_OUTPUTS = {
    "AZURE_FUNCTION_APP_NAME", "SERVICE_BUS_NAMESPACE", "UPGRADE_QUEUE", "TABLES_URL", "KEY_VAULT_URL",
    "PARTNER_TENANT_ID", "PARTNER_CLIENT_ID", "CLIENT_SECRET_NAME", "CLIENT_CERTIFICATE_NAME",
    "REFRESH_TOKEN_SECRET_NAME", "PARTNER_CENTER_URL", "AUTHORITY_URL", "APPLICATIONINSIGHTS_NAME",
    "LOG_ANALYTICS_WORKSPACE_ID", "PRODUCT_FAMILIES", "LEASE_S", "UPGRADE_DEADLINE_H",
}  # fmt: skip


def storage_takes_no_shared_key(deployment: Deployment) -> Complaints:
    yield from each(deployment, STORAGE, allowSharedKeyAccess=False, defaultToOAuthAuthentication=True)


def storage_is_read_by_nobody_outside(deployment: Deployment) -> Complaints:
    yield from each(deployment, STORAGE, allowBlobPublicAccess=False, allowCrossTenantReplication=False)
    yield from each(deployment, f"{STORAGE}/blobServices/containers", publicAccess="None")


def storage_is_reached_over_tls_only(deployment: Deployment) -> Complaints:
    yield from each(deployment, STORAGE, minimumTlsVersion="TLS1_2", supportsHttpsTrafficOnly=True)


def service_bus_takes_no_key_and_no_old_tls(deployment: Deployment) -> Complaints:
    yield from each(deployment, NAMESPACE, disableLocalAuth=True, minimumTlsVersion="1.2")


def telemetry_takes_no_key(deployment: Deployment) -> Complaints:
    yield from each(deployment, COMPONENT, DisableLocalAuth=True)
    yield from each(deployment, WORKSPACE, features__disableLocalAuth=True)


def the_vault_obeys_roles_alone(deployment: Deployment) -> Complaints:
    yield from each(
        deployment,
        VAULT,
        enableRbacAuthorization=True,
        enabledForDeployment=False,
        enabledForDiskEncryption=False,
        enabledForTemplateDeployment=False,
    )
    for vault in deployment.of_type(VAULT):
        yield from unequal("accessPolicies", vault.properties.get("accessPolicies", []), [])


def the_vault_forgets_nothing(deployment: Deployment) -> Complaints:
    yield from each(deployment, VAULT, enablePurgeProtection=True, enableSoftDelete=True, softDeleteRetentionInDays=90)


def the_site_is_reached_over_tls_only(deployment: Deployment) -> Complaints:
    yield from each(
        deployment, SITE, httpsOnly=True, siteConfig__minTlsVersion="1.2", siteConfig__scmMinTlsVersion="1.2"
    )


def nobody_publishes_with_a_password(deployment: Deployment) -> Complaints:
    site = deployment.one(SITE)
    policies = {resource.name: resource for resource in deployment.of_type(PUBLISHING)}
    yield from unequal("the publishing policies", set(policies), {f"{site.name}/ftp", f"{site.name}/scm"})
    for policy in policies.values():
        yield from differs(policy, allow=False)


def no_key_is_made_or_asked_for(deployment: Deployment) -> Complaints:
    for module, template in deployment.templates():
        for text in strings(template):
            yield from (f"{module}: {name}() in {text}" for name in calls(text) if name.startswith("list"))
        for body in declared(template).values():
            if "authorizationrules" in body["type"].lower() or body["type"].endswith("/accessPolicies"):
                yield f"{module}: {body['type']}"


def no_deployment_writes_over_a_secret(deployment: Deployment) -> Complaints:
    """Looked at in the templates, whatever the conditions say."""
    for module, template in deployment.templates():
        for symbol, body in declared(template).items():
            if not body["type"].startswith(f"{VAULT}/") or body.get("existing"):
                continue
            if body["type"] != SECRET:
                yield f"{module}: {symbol} is a {body['type']}: a person's to make"
            if "onlyIfNotExists" not in body.get("@options", {}):
                yield f"{module}: {symbol} writes over what is there"
            if template.get("languageVersion") != "2.0":
                yield f"{module}: {symbol} needs language version 2.0, else Azure refuses the template"


def secrets_begin_as_placeholders(deployment: Deployment) -> Complaints:
    vault = deployment.one(VAULT).name
    names = [deployment.parameters["refreshTokenSecretName"]]
    if not deployment.parameters["clientCertificateName"]:  # whose name a secret would occupy
        names.append(deployment.parameters["clientSecretName"])
    secrets = deployment.of_type(SECRET)
    yield from unequal("the secrets", {s.name for s in secrets}, {f"{vault}/{name}" for name in names})
    for secret in secrets:
        if not str(secret.properties.get("value")).startswith(PLACEHOLDER):
            yield f"{secret.name}: the app would take its value for a person's"


def no_parameter_carries_a_secret(deployment: Deployment) -> Complaints:
    for module, template in deployment.templates():
        for name, parameter in template.get("parameters", {}).items():
            if parameter.get("type", "").lower().startswith("secure"):
                yield f"{module}: the parameter {name}: secrets are set in the vault, by a person"


def no_output_shows_a_secret(deployment: Deployment) -> Complaints:
    for module, template in deployment.templates():
        for name, output in template.get("outputs", {}).items():
            text = str(output["value"])
            if any(word in text for word in _SECRETIVE) or calls(text) & {"listKeys", "listSecrets"}:
                yield f"{module}: the output {name} is {text}"
    yield from unequal("main's outputs", set(deployment.outputs), _OUTPUTS)


ACCESS: tuple[Policy, ...] = (
    storage_takes_no_shared_key,
    storage_is_read_by_nobody_outside,
    storage_is_reached_over_tls_only,
    service_bus_takes_no_key_and_no_old_tls,
    telemetry_takes_no_key,
    the_vault_obeys_roles_alone,
    the_vault_forgets_nothing,
    the_site_is_reached_over_tls_only,
    nobody_publishes_with_a_password,
    no_key_is_made_or_asked_for,
    no_deployment_writes_over_a_secret,
    secrets_begin_as_placeholders,
    no_parameter_carries_a_secret,
    no_output_shows_a_secret,
)
