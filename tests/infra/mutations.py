"""Single mistakes in the templates, each with the check that refuses it."""

from dataclasses import dataclass

from tests.infra import policies_access as access
from tests.infra import policies_alerts as alerts
from tests.infra import policies_grants as grants
from tests.infra import policies_monitoring as monitoring
from tests.infra import policies_platform as platform
from tests.infra import policies_settings as settings
from tests.infra.combinations import Combination
from tests.infra.complaints import Policy

_MAIN, _APP, _ROLES = "main.bicep", "modules/function-app.bicep", "modules/roles.bicep"
_STORAGE, _BUS, _VAULT = "modules/storage.bicep", "modules/service-bus.bicep", "modules/key-vault.bicep"
_ALERTS, _ALERT_TABLE = "modules/alerts.bicep", "alerts.json"
_DIAGNOSTICS, _WORKBOOK = "modules/diagnostics.bicep", "modules/workbook.bicep"
_MONITORING, _IDENTITY, _TYPES = "modules/monitoring.bicep", "modules/identity.bicep", "modules/types.bicep"

_SHOWS_MOST = Combination(premium=False, certificate=False, people=True, data_owner=False)
_CERTIFICATE = Combination(premium=False, certificate=True, people=True, data_owner=False)
_NOBODY = Combination(premium=False, certificate=False, people=False, data_owner=False)
_PREMIUM = Combination(premium=True, certificate=False, people=False, data_owner=False)


@dataclass(frozen=True)
class Mutation:
    """In `file` the text `old` becomes `new`. `policy`: which one complains; None: the compiler does."""

    file: str
    old: str
    new: str
    policy: Policy | None
    combination: Combination = _SHOWS_MOST

    def __str__(self) -> str:
        by = self.policy.__name__ if self.policy else "compiler"
        return f"{by}: {' '.join(self.new.split())[:40]}"


_MISTYPED: tuple[Mutation, ...] = (
    Mutation(_VAULT, "name: 'standard'", "name: 'standart'", None),
    Mutation(_BUS, "requiresSession: false", "requireSession: false", None),
    Mutation(_STORAGE, "= account.name", "= account.listKeys().keys[0].value", None),
    Mutation(_MAIN, "    packagesUrl: storage.outputs.packagesUrl\n", "", None),
    Mutation(_VAULT, "2024-11-01' = {\n  name: name", "2024-11-31' = {\n  name: name", None),
    Mutation(_STORAGE, "location: location", "location: 'westeurope'", None),
    Mutation(_MAIN, "environment().authentication.loginEndpoint", "'https://login.microsoftonline.com'", None),
)

_ACCESS: tuple[Mutation, ...] = (
    Mutation(_STORAGE, "allowSharedKeyAccess: false", "allowSharedKeyAccess: true", access.storage_takes_no_shared_key),
    Mutation(_STORAGE, "PublicAccess: false", "PublicAccess: true", access.storage_is_read_by_nobody_outside),
    Mutation(_STORAGE, "'TLS1_2'", "'TLS1_0'", access.storage_is_reached_over_tls_only),
    Mutation(_STORAGE, "TrafficOnly: true", "TrafficOnly: false", access.storage_is_reached_over_tls_only),
    Mutation(_BUS, "disableLocalAuth: true", "disableLocalAuth: false", access.service_bus_takes_no_key_and_no_old_tls),
    Mutation(_BUS, "'1.2'", "'1.0'", access.service_bus_takes_no_key_and_no_old_tls),
    Mutation(_MONITORING, "DisableLocalAuth: true", "DisableLocalAuth: false", access.telemetry_takes_no_key),
    Mutation(_MONITORING, "      disableLocalAuth: true\n", "", access.telemetry_takes_no_key),
    Mutation(_VAULT, "RbacAuthorization: true", "RbacAuthorization: false", access.the_vault_obeys_roles_alone),
    Mutation(_VAULT, "    enablePurgeProtection: true\n", "", access.the_vault_forgets_nothing),
    Mutation(_APP, "httpsOnly: true", "httpsOnly: false", access.the_site_is_reached_over_tls_only),
    Mutation(_APP, "'ftp'\n  properties: {\n    allow: false", "'ftp'\n  properties: {\n    allow: true",
             access.nobody_publishes_with_a_password),
    Mutation(_BUS, "// The namespace and the queue of upgrade requests.",
             "resource rule 'Microsoft.ServiceBus/namespaces/queues/authorizationRules@2024-01-01' = "
             "{ parent: queue, name: 'send', properties: { rights: ['Send'] } }", access.no_key_is_made_or_asked_for),
    Mutation(_VAULT, "@onlyIfNotExists()\nresource refreshToken", "resource refreshToken",
             access.no_deployment_writes_over_a_secret),
    Mutation(_VAULT, "@onlyIfNotExists()\nresource clientSecret", "resource clientSecret",
             access.no_deployment_writes_over_a_secret, _CERTIFICATE),
    Mutation(_VAULT, "= if (empty(clientCertificateName)) {", "= if (!empty(clientCertificateName)) {",
             access.secrets_begin_as_placeholders, _CERTIFICATE),
    Mutation(_VAULT, "'placeholder: replaced", "'replaced", access.secrets_begin_as_placeholders),
    Mutation(_APP, "@description('Name of its plan.')", "@secure()\n@description('Name of its plan.')",
             access.no_parameter_carries_a_secret),
    Mutation(_MONITORING, "output componentName string = component.name",
             "output componentName string = component.properties.InstrumentationKey", access.no_output_shows_a_secret),
)  # fmt: skip

_PLATFORM: tuple[Mutation, ...] = (
    Mutation(_BUS, "requiresDuplicateDetection: false", "requiresDuplicateDetection: true",
             platform.the_queue_is_as_the_hold_needs_it),
    Mutation(_BUS, "'PT1M'", "'PT5M'", platform.the_queue_is_as_the_hold_needs_it),
    Mutation(_BUS, "maxDeliveryCount: 30", "maxDeliveryCount: 10", platform.the_queue_is_as_the_hold_needs_it),
    Mutation(_BUS, "skuName == 'Premium'", "skuName != 'Premium'",
             platform.the_namespace_is_of_the_tier_that_was_asked_for, _PREMIUM),
    Mutation(_MAIN, ", 'UpgradeControl']", "]", platform.the_tables_are_those_of_the_code),
    Mutation(_APP, "name: 'FC1'", "name: 'Y1'", platform.the_plan_is_flex_consumption),
    Mutation(_APP, "    siteConfig: {\n", "    siteConfig: {\n      ftpsState: 'Disabled'\n",
             platform.the_plan_is_flex_consumption),
    Mutation(_MAIN, "string = '3.13'", "string = '3.12'", platform.the_site_runs_the_python_that_the_code_is_for),
    Mutation(_APP, "type: 'UserAssigned'\n", "type: 'SystemAssigned, UserAssigned'\n",
             platform.the_site_is_the_one_identity),
    Mutation(_STORAGE, "${packages.name}'", "package'", platform.the_package_comes_from_a_container_of_ours),
    Mutation(_MAIN, "  dependsOn: [roles]\n", "", platform.the_site_is_made_after_its_grants),
    Mutation(_MONITORING, "    WorkspaceResourceId: workspace.id\n", "", platform.the_log_lies_in_the_workspace),
    Mutation(_BUS, "  tags: tags\n", "", None),
    Mutation(_MAIN, "{ 'azd-env-name': environmentName }", "{ environment: environmentName }",
             platform.everything_is_tagged),
    Mutation(_MAIN, "'kv-${token}'", "'kv-${environmentName}'", platform.names_are_unique_to_the_environment),
    Mutation(_IDENTITY, "@description('Name of the identity.')\n", "",
             platform.every_parameter_and_output_is_described),
)  # fmt: skip

_EXACT = grants.everybody_is_granted_what_the_work_needs_and_no_more
_GRANTS: tuple[Mutation, ...] = (
    Mutation(_ROLES, "scope: queue\n", "scope: namespace\n", _EXACT),
    Mutation(_ROLES, "scope: tables[grant.table]", "scope: account", _EXACT),
    Mutation(_ROLES, "    scope: refreshToken\n", "    scope: vault\n", _EXACT),
    Mutation(_ROLES, "    scope: refreshToken\n", "", _EXACT),
    Mutation(_ROLES, "'Microsoft.Authorization/roleDefinitions', roles.storageBlobDataOwner",
             "'Microsoft.Authorization/roleDefinitions', roles.reader", _EXACT),
    Mutation(_ROLES, "b7e6dc6d-f1e8-4753-8033-0f276bb0955b", "b7e6dc6d-f1e8-4753-8033-0f276bb0955c", _EXACT),
    Mutation(_ROLES, "  map(receivers, someone => {\n    ...someone\n    role: roles.storageTableDataReader",
             "  map(receivers, someone => {\n    ...someone\n    role: roles.storageTableDataContributor", _EXACT),
    Mutation(_ROLES, "grantServiceBusDataOwner\n", "!grantServiceBusDataOwner\n", _EXACT),
    Mutation(_ROLES, "roles.keyVaultCertificatesOfficer\n", "roles.keyVaultSecretsOfficer\n", _EXACT, _CERTIFICATE),
    Mutation(_ROLES, "= union(producers, operators, administrators)", "= concat(producers, operators, administrators)",
             grants.no_role_is_granted_twice),
    Mutation(_ROLES, "name: guid(queue.id, grant.principalId, grant.role)", "name: guid(queue.id, grant.principalId)",
             grants.no_role_is_granted_twice),
    Mutation(_ROLES, "'The host sends its log to Application Insights, which takes no instrumentation key.'", "''",
             grants.every_grant_has_its_reason_and_stands_in_one_file),
    Mutation(_IDENTITY, "@description('Resource id.')",
             "resource mine 'Microsoft.Authorization/roleAssignments@2022-04-01' = {\n"
             "  name: guid(resourceGroup().id, name)\n  properties: {\n"
             "    principalId: identity.properties.principalId\n    principalType: 'ServicePrincipal'\n"
             "    description: 'Reads everything, just to be sure.'\n"
             "    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', "
             "'acdd72a7-3385-48ef-bd42-f606fba81ae7')\n  }\n}\n@description('Resource id.')",
             grants.every_grant_has_its_reason_and_stands_in_one_file),
    Mutation(_ROLES, "'ServicePrincipal' }", "'User' }",
             grants.principals_are_what_they_were_said_to_be),
)  # fmt: skip

_SETTINGS: tuple[Mutation, ...] = (
    Mutation(_APP, "ServiceBus__credential:", "ServiceBus_credential:", settings.every_setting_is_read_by_somebody),
    Mutation(_APP, "  AzureWebJobsStorage__clientId: identityClientId\n", "", settings.every_setting_can_be_set),
    Mutation(_MAIN, "        POLL_SCHEDULE: pollSchedule\n", "        POLL_SCHEDULES: pollSchedule\n",
             settings.every_setting_can_be_set),
    Mutation(_TYPES, "  LEASE_S: string?\n", "", settings.every_setting_can_be_set),
    Mutation(_TYPES, "@sealed()\ntype tuning", "type tuning", settings.every_setting_can_be_set),
    Mutation(_APP, "  AZURE_CLIENT_ID: identityClientId\n",
             "  AZURE_CLIENT_ID: identityClientId\n  FUNCTIONS_WORKER_RUNTIME: 'python'\n",
             settings.nothing_is_set_that_harms),
    Mutation(_APP, "AzureWebJobsStorage__credential: 'managedidentity'",
             "AzureWebJobsStorage__credential: 'AccountName=x;AccountKey=y'", settings.nothing_is_set_that_harms),
    Mutation(_MAIN, "KEY_VAULT_URL: keyVault.outputs.url", "KEY_VAULT_URL: keyVault.outputs.name",
             settings.the_code_accepts_the_settings),
    Mutation(_APP, "'ClientId=${identityClientId};Authorization=AAD'", "'Authorization=AAD'",
             settings.settings_lead_to_this_deployment),
    Mutation(_APP, "THREAD_COUNT: '16'", "THREAD_COUNT: '8'", settings.there_is_a_thread_for_every_message),
    Mutation(_MAIN, "output CLIENT_SECRET_NAME string = clientSecretName",
             "output CLIENT_SECRET_NAME string = refreshTokenSecretName", settings.outputs_are_what_the_app_is_told),
)  # fmt: skip

_CALLS: tuple[Mutation, ...] = (
    Mutation(_ALERTS, "queries/paused.kql", "queries/gate-stuck.kql", alerts.every_query_is_an_alert),
    Mutation(_ALERTS, "scopes: [workspace.id]", "scopes: [workspace.id, namespace.id]", alerts.every_query_is_an_alert),
    Mutation(_ALERTS, "threshold: 0\n            failing", "threshold: 5\n            failing",
             alerts.every_query_is_an_alert),
    Mutation(_ALERTS, "kind: 'LogAlert'", "kind: 'LogToMetric'", alerts.every_query_is_an_alert),
    Mutation(_ALERTS, "queries/paused.kql", "queries/asleep.kql", None),
    Mutation(_ALERTS, "'DeadletteredMessages'", "'Messages'", alerts.metric_alerts_watch_our_queue),
    Mutation(_ALERTS, "values: [queueName]", "values: [queueName, 'other']", alerts.metric_alerts_watch_our_queue),
    Mutation(_ALERTS, "threshold: 0\n          }\n        ]\n      }\n      autoMitigate: true",
             "threshold: 9\n          }\n        ]\n      }\n      autoMitigate: true",
             alerts.metric_alerts_watch_our_queue),
    Mutation(_ALERT_TABLE, '"severity": 3', '"severity": 7', alerts.every_alert_says_how_bad_it_is_and_what_to_do),
    Mutation(_ALERTS, "enabled: true\n      scopes: [workspace.id]", "enabled: false\n      scopes: [workspace.id]",
             alerts.every_alert_says_how_bad_it_is_and_what_to_do),
    Mutation(_ALERTS, "${runbookUrl}#${alert.name}'\n      severity: alert", "${runbookUrl}'\n      severity: alert",
             alerts.every_alert_says_how_bad_it_is_and_what_to_do),
    Mutation(_ALERTS, "name: 'messages-waiting'", "name: 'queue-not-empty'",
             alerts.every_alert_says_how_bad_it_is_and_what_to_do),
    Mutation(_ALERT_TABLE, "An operator paused the gate a day ago, and requests wait. Was it forgotten?", "Paused.",
             alerts.every_alert_says_how_bad_it_is_and_what_to_do),
    Mutation(_ALERT_TABLE, '"windowSize": "P1D"', '"windowSize": "P7D"', alerts.alerts_are_looked_at_in_time),
    Mutation(_ALERT_TABLE, '"evaluationFrequency": "PT5M",\n    "windowSize": "PT30M"',
             '"evaluationFrequency": "PT30M",\n    "windowSize": "PT30M"', alerts.alerts_are_looked_at_in_time),
    Mutation(_ALERTS, "evaluationFrequency: 'PT15M'\n    windowSize: 'PT1H'",
             "evaluationFrequency: 'PT1H'\n    windowSize: 'PT15M'", alerts.alerts_are_looked_at_in_time),
    Mutation(_ALERTS, "alert.autoMitigate ? null", "!alert.autoMitigate ? null",
             alerts.no_alert_tells_the_same_again_and_again),
    Mutation(_ALERTS, "actionGroups: empty(emails) ? [] : [actionGroup.id]", "actionGroups: []",
             alerts.those_who_asked_are_told_and_nobody_else),
    Mutation(_ALERTS, "= if (!empty(emails)) {", "= {", alerts.those_who_asked_are_told_and_nobody_else, _NOBODY),
    Mutation(_MAIN, "emails: alertEmails", "emails: concat(alertEmails, ['us@example.com'])",
             alerts.those_who_asked_are_told_and_nobody_else, _NOBODY),
    Mutation(_MAIN, "suffix: token", "suffix: environmentName", alerts.alerts_are_of_the_environment),
)  # fmt: skip

_SHOWN: tuple[Mutation, ...] = (
    Mutation(_DIAGNOSTICS, "category: 'AuditEvent'", "category: 'AzurePolicyEvaluationDetails'",
             monitoring.changes_and_secrets_are_logged_and_nothing_that_is_only_dear),
    Mutation(_DIAGNOSTICS, "'StorageWrite', enabled: true }", "'StorageRead', enabled: true }",
             monitoring.changes_and_secrets_are_logged_and_nothing_that_is_only_dear),
    Mutation(_DIAGNOSTICS, "workspaceId: workspace.id\n    logs: [\n", "workspaceId: account.id\n    logs: [\n",
             monitoring.changes_and_secrets_are_logged_and_nothing_that_is_only_dear),
    Mutation(_WORKBOOK, "name: guid(applicationInsights.id, 'workbook')", "name: 'upgrades'",
             monitoring.the_workbook_has_a_name_that_azure_takes_and_its_place),
    Mutation(_WORKBOOK, "sourceId: applicationInsights.id", "sourceId: workspace.id",
             monitoring.the_workbook_has_a_name_that_azure_takes_and_its_place),
    Mutation(_WORKBOOK, "queries/workbook/token-age.kql", "queries/workbook/results.kql",
             monitoring.the_workbook_shows_every_query_of_its_own),
    Mutation(_WORKBOOK, "    timeContextFromParameter: timeRange\n    visualization", "    visualization",
             monitoring.the_workbook_shows_every_query_of_its_own),
    Mutation(_WORKBOOK, "'DeadletteredMessages', ", "", monitoring.the_workbook_shows_dead_letters),
)  # fmt: skip

MUTATIONS: tuple[Mutation, ...] = (*_MISTYPED, *_ACCESS, *_PLATFORM, *_GRANTS, *_SETTINGS, *_CALLS, *_SHOWN)
