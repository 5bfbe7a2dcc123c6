mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { region = "eu-west-1" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-west-1:123456789012:test-alarms" }
  }
}

variables {
  name               = "test"
  function_names     = { get = "test-get", post = "test-post" }
  rest_api_name      = "test"
  stage_name         = "v1"
  cluster_identifier = "test"
  proxy_name         = "test"
  log_group_names    = ["/aws/lambda/test-get"]
}

run "alarms_dashboard_and_queries" {
  command = apply
  variables { alarm_emails = ["someone@example.org"] }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 13 && alltrue([for alarm in aws_cloudwatch_metric_alarm.this : length(alarm.alarm_actions) == 1 && alarm.treat_missing_data == "notBreaching"])
    error_message = "each function needs three alarms, the API two, the database three, the proxy two, all of them heard"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["get-duration"].extended_statistic == "p99" && aws_cloudwatch_metric_alarm.this["get-errors"].statistic == "Sum"
    error_message = "percentiles and plain statistics are different arguments"
  }
  assert {
    condition     = toset(output.deployment_alarm_names) == toset(["test-get-errors", "test-post-errors", "test-api-5xx", "test-api-latency"])
    error_message = "errors and latency must take back a deployment"
  }
  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this[0].dashboard_body).widgets) == 9
    error_message = "the dashboard must show the API, the functions, the database and the proxy"
  }
  assert {
    condition     = length(aws_cloudwatch_query_definition.this) == 4 && length(aws_sns_topic_subscription.email) == 1
    error_message = "queries must be saved and the address subscribed"
  }
  assert {
    condition     = aws_xray_sampling_rule.this[0].fixed_rate == 0.05
    error_message = "traces must be sampled"
  }
}

run "without_proxy" {
  command = plan
  variables { proxy_name = null }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 11
    error_message = "there must be no alarms for a proxy that does not exist"
  }
}

run "everything_off" {
  command = plan
  variables {
    dashboard_enabled   = false
    alarms_enabled      = false
    tracing_enabled     = false
    log_queries_enabled = false
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) + length(aws_cloudwatch_dashboard.this) + length(aws_xray_group.this) + length(aws_cloudwatch_query_definition.this) + length(aws_sns_topic.alarms) == 0
    error_message = "what is turned off must not be made"
  }
}

run "rejects_addresses_that_are_none" {
  command = plan
  variables { alarm_emails = ["someone"] }
  expect_failures = [var.alarm_emails]
}

run "rejects_a_latency_of_nothing" {
  command = plan
  variables { latency_threshold_ms = 0 }
  expect_failures = [var.latency_threshold_ms]
}

run "rejects_more_than_every_request" {
  command = plan
  variables { trace_sampling_rate = 2 }
  expect_failures = [var.trace_sampling_rate]
}

run "without_a_key_the_topic_is_open_to_alarms" {
  command = apply

  assert {
    condition     = aws_sns_topic.alarms[0].kms_master_key_id == null
    error_message = "CloudWatch may not use the key that AWS manages for SNS, so no alarm would arrive"
  }
}

run "long_names_fit_into_xray" {
  command = plan
  variables {
    name          = "abcdefghijklmnopqrstuvwxyzabcdefghijklmn"
    rest_api_name = "abcdefghijklmnopqrstuvwxyzabcdefghijklmn"
    stage_name    = "a-stage-with-a-name-that-is-longer-than-the-rule-of-xray-can-hold"
  }

  assert {
    condition     = length(aws_xray_group.this[0].group_name) == 32 && length(aws_xray_sampling_rule.this[0].rule_name) == 32 && length(aws_xray_sampling_rule.this[0].service_name) <= 64
    error_message = "X-Ray takes 32 characters for names and 64 for a service"
  }
}
