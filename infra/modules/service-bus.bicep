// The namespace and the queue of upgrade requests.

@description('Name of the namespace.')
@minLength(6)
@maxLength(50)
param name string

@description('Region.')
param location string

@description('Tags.')
param tags { *: string }

@description('Tier. A namespace cannot be moved from one to the other: to change it later, deploy a new one.')
@allowed(['Standard', 'Premium'])
param skuName string

@description('Messaging units, of Premium only.')
@allowed([1, 2, 4, 8, 16])
param capacity int

@description('Name of the queue.')
param queueName string

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' = {
  name: name
  location: location
  tags: tags
  sku: union({ name: skuName, tier: skuName }, skuName == 'Premium' ? { capacity: capacity } : {})
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
  }
}

resource queue 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = {
  parent: namespace
  name: queueName
  properties: {
    // The host renews the lock while a function runs; this is how long a message waits after a crash.
    lockDuration: 'PT1M'
    // With the hold of a message (STORAGE_HOLD_S) a storage outage of 100 minutes loses nothing.
    maxDeliveryCount: 30
    defaultMessageTimeToLive: 'P14D'
    deadLetteringOnMessageExpiration: true
    // The claim does it better, and the broker would swallow a dead letter that an operator sends again.
    requiresDuplicateDetection: false
    requiresSession: false
  }
}

@description('Name of the namespace.')
output namespaceName string = namespace.name

@description('Fully qualified name of the namespace.')
output fullyQualifiedNamespace string = split(replace(namespace.properties.serviceBusEndpoint, 'https://', ''), ':')[0]

@description('Name of the queue.')
output queueName string = queue.name
