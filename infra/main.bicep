// The whole system in one resource group. Parts refer to each other by name and identity; no key or secret passes between them.

import { principal, tuning } from 'modules/types.bicep'

metadata name = 'Partner Center product upgrades'
metadata description = 'Function App on Flex Consumption, Service Bus queue, tables, Key Vault and logs, joined by one managed identity.'

// --- Where ----------------------------------------------------------------------------------------------------------

@description('Name of the environment: with subscription and resource group it decides the names of all resources.')
@minLength(1)
@maxLength(64)
param environmentName string

@description('Region. Flex Consumption has to be offered there.')
param location string = resourceGroup().location

@description('Tags of all resources, besides the environment\'s.')
param tags { *: string } = {}

// --- Partner Center -------------------------------------------------------------------------------------------------

@description('The partner\'s Entra tenant.')
@minLength(36)
@maxLength(36)
param partnerTenantId string

@description('The app registration that holds the App+User consent.')
@minLength(36)
@maxLength(36)
param partnerClientId string

@description('Name of the Key Vault secret that holds the client secret. The deployment creates it with a placeholder.')
param clientSecretName string = 'partner-center-client-secret'

@description('Name of the Key Vault certificate that is used instead of a client secret; it is imported after the deployment. Empty: none.')
param clientCertificateName string = ''

@description('Name of the Key Vault secret that holds the refresh token. The deployment creates it with a placeholder.')
param refreshTokenSecretName string = 'partner-center-refresh-token'

@description('Partner Center\'s API.')
param partnerCenterUrl string = 'https://api.partnercenter.microsoft.com'

@description('Sign-in endpoint of the partner\'s cloud.')
param authorityUrl string = environment().authentication.loginEndpoint

@description('Product families that may be asked for, separated by commas, in Partner Center\'s spelling.')
param productFamilies string = 'Azure'

// --- The app --------------------------------------------------------------------------------------------------------

@description('Name of the queue of upgrade requests.')
param queueName string = 'upgrades'

@description('When PollUpgrade runs: NCRONTAB with six fields, UTC.')
param pollSchedule string = '0 * * * * *'

@description('Settings with good defaults that shall have another value.')
param appSettings tuning = {}

@description('Version of Python. The packages that are deployed are built for one version.')
param pythonVersion string = '3.13'

@description('Memory of an instance, in MB: a quarter of a core, one, or two.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('How many instances the app may have.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int = 40

// --- What it runs on ------------------------------------------------------------------------------------------------

@description('Tier of Service Bus. It cannot be changed later.')
@allowed(['Standard', 'Premium'])
param serviceBusSku string = 'Standard'

@description('Messaging units of Service Bus, for Premium only.')
@allowed([1, 2, 4, 8, 16])
param serviceBusCapacity int = 1

@description('Redundancy of the storage account. Zones (ZRS) are not offered in every region.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
param storageSku string = 'Standard_LRS'

@description('How long log lines are kept, in days.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

// --- Who is told ----------------------------------------------------------------------------------------------------

@description('E-mail addresses that are told when an alert fires. None: the portal alone shows it.')
param alertEmails string[] = []

@description('Where docs/operations.md can be read, for the links in alerts.')
param runbookUrl string = 'docs/operations.md'

// --- Who may do what ------------------------------------------------------------------------------------------------

@description('Who may send requests.')
param producers principal[] = []

@description('Who looks after requests and results: also sees rows and takes dead letters.')
param operators principal[] = []

@description('Who also gives consent, cancels, pauses and resumes.')
param administrators principal[] = []

@description('Also grants the app Service Bus Data Owner on the queue. Only where the smoke test shows that the app does not wake from zero without it.')
param grantServiceBusDataOwner bool = false

var token = uniqueString(subscription().id, resourceGroup().id, environmentName)
var allTags = union(tags, { 'azd-env-name': environmentName })
var tableNames = ['UpgradesInFlight', 'UpgradeResults', 'UpgradeControl']

module identity 'modules/identity.bicep' = {
  name: 'identity'
  params: {
    name: 'id-${token}'
    location: location
    tags: allTags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  params: {
    workspaceName: 'log-${token}'
    componentName: 'appi-${token}'
    location: location
    tags: allTags
    retentionDays: logRetentionDays
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  params: {
    name: 'st${token}'
    location: location
    tags: allTags
    skuName: storageSku
    tableNames: tableNames
  }
}

module serviceBus 'modules/service-bus.bicep' = {
  name: 'service-bus'
  params: {
    name: 'sb-${token}'
    location: location
    tags: allTags
    skuName: serviceBusSku
    capacity: serviceBusCapacity
    queueName: queueName
  }
}

module keyVault 'modules/key-vault.bicep' = {
  name: 'key-vault'
  params: {
    name: 'kv-${token}'
    location: location
    tags: allTags
    clientSecretName: clientSecretName
    clientCertificateName: clientCertificateName
    refreshTokenSecretName: refreshTokenSecretName
  }
}

module diagnostics 'modules/diagnostics.bicep' = {
  name: 'diagnostics'
  params: {
    workspaceName: monitoring.outputs.workspaceName
    storageAccountName: storage.outputs.accountName
    serviceBusNamespaceName: serviceBus.outputs.namespaceName
    keyVaultName: keyVault.outputs.name
  }
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  params: {
    actionGroupName: 'ag-${token}'
    suffix: token
    location: location
    tags: allTags
    emails: alertEmails
    runbookUrl: runbookUrl
    workspaceName: monitoring.outputs.workspaceName
    serviceBusNamespaceName: serviceBus.outputs.namespaceName
    queueName: serviceBus.outputs.queueName
  }
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  params: {
    title: 'Product upgrades (${environmentName})'
    location: location
    tags: allTags
    applicationInsightsName: monitoring.outputs.componentName
    workspaceName: monitoring.outputs.workspaceName
    serviceBusNamespaceName: serviceBus.outputs.namespaceName
  }
}

module roles 'modules/roles.bicep' = {
  name: 'roles'
  params: {
    appPrincipalId: identity.outputs.principalId
    producers: producers
    operators: operators
    administrators: administrators
    grantServiceBusDataOwner: grantServiceBusDataOwner
    storageAccountName: storage.outputs.accountName
    tableNames: tableNames
    serviceBusNamespaceName: serviceBus.outputs.namespaceName
    queueName: serviceBus.outputs.queueName
    keyVaultName: keyVault.outputs.name
    clientSecretName: clientSecretName
    clientCertificateName: clientCertificateName
    refreshTokenSecretName: refreshTokenSecretName
    applicationInsightsName: monitoring.outputs.componentName
  }
}

module functionApp 'modules/function-app.bicep' = {
  name: 'function-app'
  // The platform opens the package's container with the app's identity while it creates the site.
  dependsOn: [roles]
  params: {
    name: 'func-${token}'
    planName: 'plan-${token}'
    location: location
    tags: allTags
    pythonVersion: pythonVersion
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    applicationInsightsName: monitoring.outputs.componentName
    storageAccountName: storage.outputs.accountName
    packagesUrl: storage.outputs.packagesUrl
    serviceBusNamespace: serviceBus.outputs.fullyQualifiedNamespace
    appSettings: appSettings
    deploymentSettings: union(
      {
        PARTNER_TENANT_ID: partnerTenantId
        PARTNER_CLIENT_ID: partnerClientId
        KEY_VAULT_URL: keyVault.outputs.url
        CLIENT_SECRET_NAME: clientSecretName
        REFRESH_TOKEN_SECRET_NAME: refreshTokenSecretName
        TABLES_URL: storage.outputs.tablesUrl
        UPGRADE_QUEUE: serviceBus.outputs.queueName
        POLL_SCHEDULE: pollSchedule
        PARTNER_CENTER_URL: partnerCenterUrl
        AUTHORITY_URL: authorityUrl
        PRODUCT_FAMILIES: productFamilies
      },
      empty(clientCertificateName) ? {} : { CLIENT_CERTIFICATE_NAME: clientCertificateName }
    )
  }
}

// azd writes these into its environment, where upgradectl finds them.

@description('Name of the Function App.')
output AZURE_FUNCTION_APP_NAME string = functionApp.outputs.name

@description('Fully qualified name of the Service Bus namespace.')
output SERVICE_BUS_NAMESPACE string = serviceBus.outputs.fullyQualifiedNamespace

@description('Name of the queue of upgrade requests.')
output UPGRADE_QUEUE string = serviceBus.outputs.queueName

@description('URL of the table service.')
output TABLES_URL string = storage.outputs.tablesUrl

@description('URL of the vault.')
output KEY_VAULT_URL string = keyVault.outputs.url

@description('The partner\'s Entra tenant.')
output PARTNER_TENANT_ID string = partnerTenantId

@description('The app registration that holds the consent.')
output PARTNER_CLIENT_ID string = partnerClientId

@description('Name of the secret that holds the client secret.')
output CLIENT_SECRET_NAME string = clientSecretName

@description('Name of the certificate that is used instead; empty: none.')
output CLIENT_CERTIFICATE_NAME string = clientCertificateName

@description('Name of the secret that holds the refresh token.')
output REFRESH_TOKEN_SECRET_NAME string = refreshTokenSecretName

@description('Partner Center\'s API.')
output PARTNER_CENTER_URL string = partnerCenterUrl

@description('Sign-in endpoint of the partner\'s cloud.')
output AUTHORITY_URL string = authorityUrl

@description('Product families that may be asked for: submit holds requests against them.')
output PRODUCT_FAMILIES string = productFamilies

@description('How long a lease lasts, where it is not the default: cancel waits for one.')
output LEASE_S string = appSettings.?LEASE_S ?? ''

@description('When an upgrade is overdue, where it is not the default: cancel and status go by it.')
output UPGRADE_DEADLINE_H string = appSettings.?UPGRADE_DEADLINE_H ?? ''

@description('Name of the Application Insights component.')
output APPLICATIONINSIGHTS_NAME string = monitoring.outputs.componentName

@description('Workspace id (a GUID) of the Log Analytics workspace, by which queries name it.')
output LOG_ANALYTICS_WORKSPACE_ID string = monitoring.outputs.workspaceId
