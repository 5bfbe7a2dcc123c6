data "aws_region" "current" {}
data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

resource "aws_sns_topic" "alarms" {
  count = var.alarms_enabled ? 1 : 0

  name              = "${var.name}-alarms"
  kms_master_key_id = coalesce(var.kms_key_arn, "alias/aws/sns")

  tags = var.tags
}

data "aws_iam_policy_document" "alarms" {
  count = var.alarms_enabled ? 1 : 0

  statement {
    sid       = "AlarmsOfThisAccount"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alarms[0].arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_sns_topic_policy" "alarms" {
  count = var.alarms_enabled ? 1 : 0

  arn    = aws_sns_topic.alarms[0].arn
  policy = data.aws_iam_policy_document.alarms[0].json
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.alarms_enabled ? var.alarm_emails : toset([])

  topic_arn = aws_sns_topic.alarms[0].arn
  protocol  = "email"
  endpoint  = each.value
}

resource "aws_xray_group" "this" {
  count = var.tracing_enabled ? 1 : 0

  group_name        = var.name
  filter_expression = "service(\"${var.rest_api_name}/${var.stage_name}\")"

  insights_configuration {
    insights_enabled      = true
    notifications_enabled = false
  }

  tags = var.tags
}

resource "aws_xray_sampling_rule" "this" {
  count = var.tracing_enabled ? 1 : 0

  # X-Ray allows 32 characters.
  rule_name      = substr(var.name, 0, 32)
  priority       = 1000
  version        = 1
  reservoir_size = 1
  fixed_rate     = var.trace_sampling_rate
  service_name   = "${var.rest_api_name}/${var.stage_name}"
  service_type   = "*"
  host           = "*"
  http_method    = "*"
  url_path       = "*"
  resource_arn   = "arn:${data.aws_partition.current.partition}:apigateway:${data.aws_region.current.region}::/restapis/*"

  tags = var.tags
}

locals {
  queries = var.log_queries_enabled ? {
    errors = "fields @timestamp, @requestId, level, fields.message, @message | filter level = 'ERROR' or @message like /(?i)error/ | sort @timestamp desc | limit 100"
    slow   = "fields @timestamp, @requestId, @duration, @maxMemoryUsed | filter @type = 'REPORT' | sort @duration desc | limit 50"
    cold   = "filter @type = 'REPORT' and ispresent(@initDuration) | stats count() as starts, avg(@initDuration) as mean_ms, max(@initDuration) as max_ms by bin(1h)"
    status = "filter ispresent(status) | stats count() as requests by status, resourcePath, httpMethod | sort requests desc"
  } : {}
}

resource "aws_cloudwatch_query_definition" "this" {
  for_each = local.queries

  name            = "${var.name}/${each.key}"
  log_group_names = var.log_group_names
  query_string    = each.value
}
