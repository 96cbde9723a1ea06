// The app's identity. User-assigned, so that it has its roles before the app exists and keeps them when the app is replaced.

@description('Name of the identity.')
param name string

@description('Region.')
param location string

@description('Tags.')
param tags { *: string }

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: tags
}

@description('Resource id.')
output id string = identity.id

@description('Client id, by which the app asks for tokens.')
output clientId string = identity.properties.clientId

@description('Object id, to which roles are granted.')
output principalId string = identity.properties.principalId
