// What calls a person, and whom. Each alert's description says what to do and leads to its section of docs/operations.md.

@description('Name of the action group.')
param actionGroupName string

@description('What the names of alert rules end in.')
param suffix string

@description('Region of the workspace, which is where its queries run.')
param location string

@description('Tags.')
param tags { *: string }

@description('Who is told by e-mail. Nobody: the portal alone shows what has fired.')
param emails string[]

@description('Where docs/operations.md can be read.')
param runbookUrl string

@description('Name of the Log Analytics workspace.')
param workspaceName string

@description('Name of the Service Bus namespace.')
param serviceBusNamespaceName string

@description('Name of the queue of upgrade requests.')
param queueName string

// A query returns rows exactly when its alert has to fire. That is the same for all, so that the queries can be tried without Azure.
var logAlerts = loadJsonContent('../alerts.json')

// Paths of files cannot be computed.
var queries = {
  'access-denied': loadTextContent('../queries/access-denied.kql')
  'consent-required': loadTextContent('../queries/consent-required.kql')
  'credential-invalid': loadTextContent('../queries/credential-invalid.kql')
  'gate-stuck': loadTextContent('../queries/gate-stuck.kql')
  'heartbeat-missing': loadTextContent('../queries/heartbeat-missing.kql')
  'messages-held': loadTextContent('../queries/messages-held.kql')
  paused: loadTextContent('../queries/paused.kql')
  'refresh-token-old': loadTextContent('../queries/refresh-token-old.kql')
  'requests-waiting': loadTextContent('../queries/requests-waiting.kql')
  'results-failing': loadTextContent('../queries/results-failing.kql')
  'rows-failing': loadTextContent('../queries/rows-failing.kql')
  'settings-invalid': loadTextContent('../queries/settings-invalid.kql')
  'upgrades-overdue': loadTextContent('../queries/upgrades-overdue.kql')
}

var metricAlerts = [
  {
    name: 'dead-letters'
    description: 'A message is no request, or could not be claimed for too long: it lies on the dead-letter queue as it was sent. Look at its reason in the log.'
    metric: 'DeadletteredMessages'
    aggregation: 'Maximum'
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
  }
  {
    name: 'messages-waiting'
    description: 'The queue has not been empty for an hour: nobody takes requests, or not fast enough. Check that CreateUpgrade runs, and the app\'s role on the queue.'
    metric: 'ActiveMessages'
    aggregation: 'Minimum'
    evaluationFrequency: 'PT15M'
    windowSize: 'PT1H'
  }
]

resource actionGroup 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(emails)) {
  name: actionGroupName
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'upgrades'
    enabled: true
    emailReceivers: map(emails, email => {
      name: email
      emailAddress: email
      useCommonAlertSchema: true
    })
  }
}

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' existing = {
  name: workspaceName
}

// Their scope is the workspace: Application Insights, as a scope, has other names for its tables (traces for AppTraces), and queries
// then hold for the portal, the workbook and these rules alike.
resource logAlertRules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for alert in logAlerts: {
    name: 'alert-${alert.name}-${suffix}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: alert.title
      description: '${alert.description} ${runbookUrl}#${alert.name}'
      severity: alert.severity
      enabled: true
      scopes: [workspace.id]
      evaluationFrequency: alert.evaluationFrequency
      windowSize: alert.windowSize
      criteria: {
        allOf: [
          {
            query: queries[alert.name]
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      autoMitigate: alert.autoMitigate
      // What does not resolve itself would tell at each evaluation.
      muteActionsDuration: alert.autoMitigate ? null : alert.windowSize
      // A new workspace may not know a table yet; tests have analysed and run the queries.
      skipQueryValidation: true
      actions: {
        actionGroups: empty(emails) ? [] : [actionGroup.id]
      }
    }
  }
]

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' existing = {
  name: serviceBusNamespaceName
}

resource metricAlertRules 'Microsoft.Insights/metricAlerts@2018-03-01' = [
  for alert in metricAlerts: {
    name: 'alert-${alert.name}-${suffix}'
    location: 'global'
    tags: tags
    properties: {
      description: '${alert.description} ${runbookUrl}#${alert.name}'
      severity: 2
      enabled: true
      scopes: [namespace.id]
      evaluationFrequency: alert.evaluationFrequency
      windowSize: alert.windowSize
      criteria: {
        'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
        allOf: [
          {
            criterionType: 'StaticThresholdCriterion'
            name: alert.name
            metricNamespace: 'Microsoft.ServiceBus/namespaces'
            metricName: alert.metric
            dimensions: [
              {
                name: 'EntityName'
                operator: 'Include'
                values: [queueName]
              }
            ]
            timeAggregation: alert.aggregation
            operator: 'GreaterThan'
            threshold: 0
          }
        ]
      }
      autoMitigate: true
      actions: empty(emails) ? [] : [{ actionGroupId: actionGroup.id }]
    }
  }
]
