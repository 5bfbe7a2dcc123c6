locals {
  function_alarms = merge([for short, function in var.function_names : {
    "${short}-errors" = {
      namespace   = "AWS/Lambda", metric = "Errors", statistic = "Sum", threshold = 1, periods = 1, deployment = true
      dimensions  = { FunctionName = function }
      description = "${function} failed"
    }
    "${short}-throttles" = {
      namespace   = "AWS/Lambda", metric = "Throttles", statistic = "Sum", threshold = 1, periods = 1, deployment = false
      dimensions  = { FunctionName = function }
      description = "${function} met its concurrency limit"
    }
    "${short}-duration" = {
      namespace   = "AWS/Lambda", metric = "Duration", statistic = "p99", threshold = var.latency_threshold_ms, periods = 3, deployment = false
      dimensions  = { FunctionName = function }
      description = "${function} is slow"
    }
  }]...)

  api_alarms = {
    "api-5xx" = {
      namespace   = "AWS/ApiGateway", metric = "5XXError", statistic = "Sum", threshold = 1, periods = 1, deployment = true
      dimensions  = { ApiName = var.rest_api_name, Stage = var.stage_name }
      description = "The API answered with server errors"
    }
    "api-latency" = {
      namespace   = "AWS/ApiGateway", metric = "Latency", statistic = "p99", threshold = var.latency_threshold_ms, periods = 3, deployment = true
      dimensions  = { ApiName = var.rest_api_name, Stage = var.stage_name }
      description = "The API is slow"
    }
  }

  database_alarms = {
    "database-capacity" = {
      namespace   = "AWS/RDS", metric = "ACUUtilization", statistic = "Average", threshold = 90, periods = 5, deployment = false
      dimensions  = { DBClusterIdentifier = var.cluster_identifier }
      description = "The database is near its largest capacity"
    }
    "database-deadlocks" = {
      namespace   = "AWS/RDS", metric = "Deadlocks", statistic = "Sum", threshold = 1, periods = 1, deployment = false
      dimensions  = { DBClusterIdentifier = var.cluster_identifier }
      description = "Transactions blocked each other"
    }
    "database-replica-lag" = {
      namespace   = "AWS/RDS", metric = "AuroraReplicaLagMaximum", statistic = "Maximum", threshold = 1000, periods = 5, deployment = false
      dimensions  = { DBClusterIdentifier = var.cluster_identifier }
      description = "Readers are more than a second behind"
    }
  }

  proxy_alarms = var.proxy_name == null ? {} : {
    "proxy-borrow-latency" = {
      namespace   = "AWS/RDS", metric = "DatabaseConnectionsBorrowLatency", statistic = "Average", threshold = 1000000, periods = 3, deployment = false
      dimensions  = { ProxyName = var.proxy_name }
      description = "Clients wait more than a second for a connection"
    }
    "proxy-pinned" = {
      namespace   = "AWS/RDS", metric = "DatabaseConnectionsCurrentlySessionPinned", statistic = "Maximum", threshold = 5, periods = 5, deployment = false
      dimensions  = { ProxyName = var.proxy_name }
      description = "Sessions are pinned, so the proxy cannot share connections"
    }
  }

  alarms = var.alarms_enabled ? merge(local.function_alarms, local.api_alarms, local.database_alarms, local.proxy_alarms) : {}
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = startswith(each.value.statistic, "p") ? null : each.value.statistic
  extended_statistic  = startswith(each.value.statistic, "p") ? each.value.statistic : null
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = each.value.threshold
  period              = 60
  evaluation_periods  = each.value.periods
  # No traffic is no trouble.
  treat_missing_data = "notBreaching"
  alarm_actions      = [aws_sns_topic.alarms[0].arn]
  ok_actions         = [aws_sns_topic.alarms[0].arn]

  tags = var.tags
}
