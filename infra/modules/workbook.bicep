// The workbook: what the system did, on one page. Under "Workbooks" of the Application Insights component.

@description('Title of the workbook.')
param title string

@description('Region.')
param location string

@description('Tags.')
param tags { *: string }

@description('Name of the Application Insights component, whose workbook it is.')
param applicationInsightsName string

@description('Name of the Log Analytics workspace.')
param workspaceName string

@description('Name of the Service Bus namespace.')
param serviceBusNamespaceName string

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: applicationInsightsName
}

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' existing = {
  name: workspaceName
}

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' existing = {
  name: serviceBusNamespaceName
}

var hour = 3600000
var timeRange = 'TimeRange'

var tiles = [
  {
    name: 'requests'
    title: 'Requests an hour, by what became of them on arrival'
    visualization: 'barchart'
    query: loadTextContent('../queries/workbook/requests.kql')
  }
  {
    name: 'in-flight'
    title: 'In flight, past the deadline, and the longest wait for a create call in hours'
    visualization: 'timechart'
    query: loadTextContent('../queries/workbook/in-flight.kql')
  }
  {
    name: 'results'
    title: 'Results an hour, by status'
    visualization: 'barchart'
    query: loadTextContent('../queries/workbook/results.kql')
  }
  {
    name: 'time-to-completion'
    title: 'Hours from request to completion'
    visualization: 'timechart'
    query: loadTextContent('../queries/workbook/time-to-completion.kql')
  }
  {
    name: 'throttling'
    title: 'Closings of the gate an hour, by reason'
    visualization: 'barchart'
    query: loadTextContent('../queries/workbook/throttling.kql')
  }
  {
    name: 'refused-calls'
    title: 'Calls without a 2xx, by answer; the identifiers are those of the latest'
    visualization: 'table'
    query: loadTextContent('../queries/workbook/refused-calls.kql')
  }
  {
    name: 'token-age'
    title: 'Age of the refresh token in days (it lives for 90)'
    visualization: 'timechart'
    query: loadTextContent('../queries/workbook/token-age.kql')
  }
]

var timeRangeItem = {
  type: 9 // parameters
  name: 'time range'
  content: {
    version: 'KqlParameterItem/1.0'
    style: 'pills'
    parameters: [
      {
        id: guid(timeRange)
        version: 'KqlParameterItem/1.0'
        name: timeRange
        label: 'Time range'
        type: 4 // time range
        isRequired: true
        value: { durationMs: 168 * hour }
        typeSettings: {
          selectableValues: map([1, 24, 72, 168, 720, 2160], hours => { durationMs: hours * hour })
          allowCustom: true
        }
      }
    ]
  }
}

var queryItems = map(tiles, tile => {
  type: 3 // query
  name: tile.name
  content: {
    version: 'KqlItem/1.0'
    title: tile.title
    query: tile.query
    size: 0
    queryType: 0 // of logs
    resourceType: 'microsoft.operationalinsights/workspaces'
    crossComponentResources: [workspace.id]
    timeContextFromParameter: timeRange
    visualization: tile.visualization
  }
})

var deadLettersItem = {
  type: 10 // metrics
  name: 'dead-letters'
  content: {
    version: 'MetricsItem/2.0'
    chartId: guid('dead-letters')
    title: 'Dead letters and waiting messages'
    size: 0
    chartType: 2 // line
    metricScope: 0 // of resources
    resourceType: 'microsoft.servicebus/namespaces'
    resourceIds: [namespace.id]
    timeContextFromParameter: timeRange
    metrics: map(['DeadletteredMessages', 'ActiveMessages'], metric => {
      namespace: 'microsoft.servicebus/namespaces'
      metric: 'microsoft.servicebus/namespaces--${metric}'
      aggregation: 3 // maximum
    })
  }
}

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  // The name has to be a GUID, and the same one each time.
  name: guid(applicationInsights.id, 'workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: title
    category: 'workbook'
    sourceId: applicationInsights.id
    version: '1.0'
    serializedData: string({
      version: 'Notebook/1.0'
      items: concat([timeRangeItem], queryItems, [deadLettersItem])
      fallbackResourceIds: [workspace.id]
    })
  }
}
