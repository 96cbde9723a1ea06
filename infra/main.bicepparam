using 'main.bicep'

// From azd's environment: azd env set NAME VALUE
param environmentName = readEnvironmentVariable('AZURE_ENV_NAME')
param partnerTenantId = readEnvironmentVariable('PARTNER_TENANT_ID')
param partnerClientId = readEnvironmentVariable('PARTNER_CLIENT_ID')
param clientCertificateName = readEnvironmentVariable('CLIENT_CERTIFICATE_NAME', '')

// Lists like [{"principalId": "<object id>", "principalType": "Group"}]
param producers = json(readEnvironmentVariable('PRODUCERS', '[]'))
param operators = json(readEnvironmentVariable('OPERATORS', '[]'))
param administrators = json(readEnvironmentVariable('ADMINISTRATORS', '[]'))

// A list like ["somebody@example.com"]
param alertEmails = json(readEnvironmentVariable('ALERT_EMAILS', '[]'))
param runbookUrl = readEnvironmentVariable('RUNBOOK_URL', 'docs/operations.md')

param grantServiceBusDataOwner = bool(readEnvironmentVariable('GRANT_SERVICE_BUS_DATA_OWNER', 'false'))

// Everything else has its default in main.bicep; set here what shall differ.
param appSettings = {}
