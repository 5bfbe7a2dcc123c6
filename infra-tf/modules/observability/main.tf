data "aws_region" "current" {}
data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  # X-Ray takes 32 characters. A longer name keeps its beginning and gets a digest, so that two of them stay apart.
  trace_name = length(var.name) <= 32 ? var.name : "${substr(var.name, 0, 23)}-${substr(sha256(var.name), 0, 8)}"
}

resource "aws_sns_topic" "alarms" {
  count = var.alarms_enabled ? 1 : 0

  #checkov:skip=CKV_AWS_26:without a key of one's own it is not encrypted: CloudWatch may not use alias/aws/sns, and no alarm would arrive
  name              = "${var.name}-alarms"
  kms_master_key_id = var.kms_key_arn

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

  group_name        = local.trace_name
  filter_expression = "service(\"${var.rest_api_name}/${var.stage_name}\")"

  insights_configuration {
    insights_enabled      = true
    notifications_enabled = false
  }

  tags = var.tags
}

resource "aws_xray_sampling_rule" "this" {
  count = var.tracing_enabled ? 1 : 0

  rule_name      = local.trace_name
  priority       = 1000
  version        = 1
  reservoir_size = 1
  fixed_rate     = var.trace_sampling_rate
  # X-Ray takes 64 characters, and a stage may have twice as many.
  service_name = "${var.rest_api_name}/*"
  service_type = "*"
  host         = "*"
  http_method  = "*"
  url_path     = "*"
  resource_arn = "arn:${data.aws_partition.current.partition}:apigateway:${data.aws_region.current.region}::/restapis/*"

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
