locals {
  region    = data.aws_region.current.region
  functions = [for short in sort(keys(var.function_names)) : var.function_names[short]]

  charts = concat([
    { title = "Requests", stat = "Sum", metrics = [["AWS/ApiGateway", "Count", "ApiName", var.rest_api_name, "Stage", var.stage_name]] },
    { title = "Errors of the API", stat = "Sum", metrics = [for metric in ["4XXError", "5XXError"] : ["AWS/ApiGateway", metric, "ApiName", var.rest_api_name, "Stage", var.stage_name]] },
    { title = "Latency of the API, p99 (ms)", stat = "p99", metrics = [for metric in ["Latency", "IntegrationLatency"] : ["AWS/ApiGateway", metric, "ApiName", var.rest_api_name, "Stage", var.stage_name]] },
    { title = "Duration of the functions, p99 (ms)", stat = "p99", metrics = [for function in local.functions : ["AWS/Lambda", "Duration", "FunctionName", function]] },
    { title = "Errors of the functions", stat = "Sum", metrics = [for function in local.functions : ["AWS/Lambda", "Errors", "FunctionName", function]] },
    { title = "Concurrency", stat = "Maximum", metrics = [for function in local.functions : ["AWS/Lambda", "ConcurrentExecutions", "FunctionName", function]] },
    { title = "Capacity of the database (ACU)", stat = "Average", metrics = [["AWS/RDS", "ServerlessDatabaseCapacity", "DBClusterIdentifier", var.cluster_identifier]] },
    { title = "Connections of the database", stat = "Maximum", metrics = [["AWS/RDS", "DatabaseConnections", "DBClusterIdentifier", var.cluster_identifier]] },
    ],
    var.proxy_name == null ? [] : [
      { title = "Connections of the proxy", stat = "Maximum", metrics = [for metric in ["ClientConnections", "DatabaseConnections", "DatabaseConnectionsCurrentlySessionPinned"] : ["AWS/RDS", metric, "ProxyName", var.proxy_name]] },
    ],
  )
}

resource "aws_cloudwatch_dashboard" "this" {
  count = var.dashboard_enabled ? 1 : 0

  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [for index, chart in local.charts : {
      type   = "metric"
      x      = (index % 3) * 8
      y      = floor(index / 3) * 6
      width  = 8
      height = 6
      properties = {
        title   = chart.title
        region  = local.region
        period  = 60
        stat    = chart.stat
        view    = "timeSeries"
        metrics = chart.metrics
      }
    }]
  })
}
