// Every role grant of the system, each at the smallest scope that works, with its reason (docs/grants.md walks through them).

import { principal } from 'types.bicep'

@description('Object id of the app\'s identity.')
param appPrincipalId string

@description('Who may send requests.')
param producers principal[]

@description('Who looks after requests and results.')
param operators principal[]

@description('Who also looks after credentials, gate and platform.')
param administrators principal[]

@description('Also grants the app Service Bus Data Owner on the queue.')
param grantServiceBusDataOwner bool

@description('Name of the storage account.')
param storageAccountName string

@description('Names of our tables.')
param tableNames string[]

@description('Name of the Service Bus namespace.')
param serviceBusNamespaceName string

@description('Name of the queue of upgrade requests.')
param queueName string

@description('Name of the vault.')
param keyVaultName string

@description('Name of the secret that holds the client secret.')
param clientSecretName string

@description('Name of the certificate that is used instead; empty: none.')
param clientCertificateName string

@description('Name of the secret that holds the refresh token.')
param refreshTokenSecretName string

@description('Name of the Application Insights component.')
param applicationInsightsName string

// Built-in role definitions.
var roles = {
  keyVaultCertificatesOfficer: 'a4417e6f-fecd-4de8-b567-7b0420556985'
  keyVaultSecretsOfficer: 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'
  keyVaultSecretsUser: '4633458b-17de-408a-b874-0445c86b69e6'
  monitoringMetricsPublisher: '3913510d-42f4-4e42-8a64-420c390055eb'
  reader: 'acdd72a7-3385-48ef-bd42-f606fba81ae7'
  serviceBusDataOwner: '090c5cfd-751d-490a-894a-3ce6f1109419'
  serviceBusDataReceiver: '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0'
  serviceBusDataSender: '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39'
  storageBlobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  storageTableDataContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
  storageTableDataReader: '76199698-9eea-4c19-bc75-cec21354c6b6'
}

var app = { principalId: appPrincipalId, principalType: 'ServicePrincipal' }
var useCertificate = !empty(clientCertificateName)

// A role is granted to a principal once, on however many of the lists it stands.
var senders = union(producers, operators, administrators)
var receivers = union(operators, administrators)

// --- The queue ------------------------------------------------------------------------------------------------------

var queueGrants = concat(
  [
    {
      ...app
      role: roles.serviceBusDataReceiver
      reason: 'CreateUpgrade: the host receives, renews and settles requests.'
    }
  ],
  grantServiceBusDataOwner
    ? [
        {
          ...app
          role: roles.serviceBusDataOwner
          reason: 'The platform reads the queue\'s length to wake the app from zero and to scale by target.'
        }
      ]
    : [],
  map(senders, someone => {
    ...someone
    role: roles.serviceBusDataSender
    reason: 'upgradectl submit and retry: sends requests.'
  }),
  map(receivers, someone => {
    ...someone
    role: roles.serviceBusDataReceiver
    reason: 'upgradectl dead-letters and retry: peeks at dead letters and takes them.'
  })
)

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' existing = {
  name: serviceBusNamespaceName
}

resource queue 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' existing = {
  parent: namespace
  name: queueName
}

resource queueAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for grant in queueGrants: {
    scope: queue
    name: guid(queue.id, grant.principalId, grant.role)
    properties: {
      principalId: grant.principalId
      principalType: grant.principalType
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', grant.role)
      description: grant.reason
    }
  }
]

// --- Each of our tables, and no other -------------------------------------------------------------------------------

var tableGrants = concat(
  [
    {
      ...app
      role: roles.storageTableDataContributor
      reason: 'CreateUpgrade and PollUpgrade: rows in flight, results and the gate.'
    }
  ],
  map(receivers, someone => {
    ...someone
    role: roles.storageTableDataReader
    reason: 'upgradectl status, results and watch: reads rows.'
  }),
  map(administrators, someone => {
    ...someone
    role: roles.storageTableDataContributor
    reason: 'upgradectl cancel, pause and resume: marks a row, moves the gate.'
  })
)

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageAccountName
}

resource tableService 'Microsoft.Storage/storageAccounts/tableServices@2024-01-01' existing = {
  parent: account
  name: 'default'
}

resource tables 'Microsoft.Storage/storageAccounts/tableServices/tables@2024-01-01' existing = [
  for tableName in tableNames: {
    parent: tableService
    name: tableName
  }
]

// Resource loops do not nest: one list of every grant on every table.
var grantsOfTables = flatten(map(range(0, length(tableNames)), index => map(tableGrants, grant => { ...grant, table: index })))

resource tableAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for grant in grantsOfTables: {
    scope: tables[grant.table]
    name: guid(tables[grant.table].id, grant.principalId, grant.role)
    properties: {
      principalId: grant.principalId
      principalType: grant.principalType
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', grant.role)
      description: grant.reason
    }
  }
]

// --- The storage account --------------------------------------------------------------------------------------------

resource hostStorage 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: account
  name: guid(account.id, app.principalId, roles.storageBlobDataOwner)
  properties: {
    principalId: app.principalId
    principalType: app.principalType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataOwner)
    description: 'The host loads the package and creates containers for its own locks and timer; of blobs only.'
  }
}

// --- The client credential ------------------------------------------------------------------------------------------

var clientSecretGrants = useCertificate
  ? []
  : concat(
      [
        {
          ...app
          role: roles.keyVaultSecretsUser
          reason: 'Sign-in: reads the client secret.'
        }
      ],
      map(administrators, someone => {
        ...someone
        role: roles.keyVaultSecretsOfficer
        reason: 'upgradectl consent and check: sets the client secret and reads its age.'
      })
    )

// At the vault, because the certificate (and the secret that it comes with) is imported after the deployment.
var certificateGrants = useCertificate
  ? concat(
      [
        {
          ...app
          role: roles.keyVaultSecretsUser
          reason: 'Sign-in: reads the certificate\'s private key. The certificate is imported later, so the vault is the scope.'
        }
      ],
      map(administrators, someone => {
        ...someone
        role: roles.keyVaultCertificatesOfficer
        reason: 'Imports and renews the certificate. It does not exist yet, so the vault is the scope.'
      }),
      map(administrators, someone => {
        ...someone
        role: roles.keyVaultSecretsUser
        reason: 'upgradectl consent and check: signs in with the certificate. It does not exist yet, so the vault is the scope.'
      })
    )
  : []

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: keyVaultName
}

resource clientSecret 'Microsoft.KeyVault/vaults/secrets@2024-11-01' existing = if (!useCertificate) {
  parent: vault
  name: clientSecretName
}

resource clientSecretAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for grant in clientSecretGrants: {
    scope: clientSecret
    name: guid(vault.id, clientSecretName, grant.principalId, grant.role)
    properties: {
      principalId: grant.principalId
      principalType: grant.principalType
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', grant.role)
      description: grant.reason
    }
  }
]

resource certificateAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for grant in certificateGrants: {
    scope: vault
    name: guid(vault.id, grant.principalId, grant.role)
    properties: {
      principalId: grant.principalId
      principalType: grant.principalType
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', grant.role)
      description: grant.reason
    }
  }
]

// --- The refresh token ----------------------------------------------------------------------------------------------

var refreshTokenGrants = concat(
  [
    {
      ...app
      role: roles.keyVaultSecretsOfficer
      reason: 'Sign-in: reads the refresh token, writes the renewed one back and lists its versions.'
    }
  ],
  map(administrators, someone => {
    ...someone
    role: roles.keyVaultSecretsOfficer
    reason: 'upgradectl consent and check: sets the refresh token and reads its age.'
  })
)

resource refreshToken 'Microsoft.KeyVault/vaults/secrets@2024-11-01' existing = {
  parent: vault
  name: refreshTokenSecretName
}

resource refreshTokenAssignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for grant in refreshTokenGrants: {
    scope: refreshToken
    name: guid(refreshToken.id, grant.principalId, grant.role)
    properties: {
      principalId: grant.principalId
      principalType: grant.principalType
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', grant.role)
      description: grant.reason
    }
  }
]

// --- Telemetry and the resource group -------------------------------------------------------------------------------

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: applicationInsightsName
}

resource telemetry 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: applicationInsights
  name: guid(applicationInsights.id, app.principalId, roles.monitoringMetricsPublisher)
  properties: {
    principalId: app.principalId
    principalType: app.principalType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.monitoringMetricsPublisher)
    description: 'The host sends its log to Application Insights, which takes no instrumentation key.'
  }
}

resource resourceGroupReaders 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for someone in administrators: {
    name: guid(resourceGroup().id, someone.principalId, roles.reader)
    properties: {
      principalId: someone.principalId
      principalType: someone.principalType
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.reader)
      description: 'upgradectl doctor, docs/operations.md: reads how each resource is set up, and the log; no other data. It concerns all of them.'
    }
  }
]
