// The vault with the partner's credentials. No deployment ever knows, or overwrites, one of them.

@description('Name of the vault.')
@minLength(3)
@maxLength(24)
param name string

@description('Region.')
param location string

@description('Tags.')
param tags { *: string }

@description('Name of the secret that holds the client secret.')
param clientSecretName string

@description('Name of the certificate that is used instead; empty: none.')
param clientCertificateName string

@description('Name of the secret that holds the refresh token.')
param refreshTokenSecretName string

// The app takes a secret of this text for one that nobody has set yet.
var placeholder = 'placeholder: replaced by upgradectl consent'

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    enablePurgeProtection: true
    enabledForDeployment: false
    enabledForDiskEncryption: false
    enabledForTemplateDeployment: false
  }
}

// The secrets have to exist before a role can be granted on one of them. A certificate has none: a secret of its name would
// block its import. They stand at the file's top level because some compilers leave out the language version that
// @onlyIfNotExists needs where they are nested in the vault.
@onlyIfNotExists()
resource clientSecret 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = if (empty(clientCertificateName)) {
  parent: vault
  name: clientSecretName
  properties: {
    value: placeholder
    contentType: 'text/plain'
  }
}

@onlyIfNotExists()
resource refreshToken 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = {
  parent: vault
  name: refreshTokenSecretName
  properties: {
    value: placeholder
    contentType: 'text/plain'
  }
}

@description('Name of the vault.')
output name string = vault.name

@description('URL of the vault.')
output url string = vault.properties.vaultUri
