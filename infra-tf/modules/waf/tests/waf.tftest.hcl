mock_provider "aws" {
  mock_resource "aws_wafv2_web_acl" {
    defaults = { arn = "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/test/1" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-1:123456789012:log-group:aws-waf-logs-test" }
  }
}

variables {
  name          = "test"
  resource_arns = { api = "arn:aws:apigateway:eu-west-1::/restapis/abc/stages/v1" }
}

run "blocks_and_logs" {
  command = apply

  assert {
    condition     = length(aws_wafv2_web_acl.this.rule) == 5 && length(distinct([for rule in aws_wafv2_web_acl.this.rule : rule.priority])) == 5
    error_message = "the rate limit and four managed groups must each have their own priority"
  }
  assert {
    condition     = startswith(aws_cloudwatch_log_group.this.name, "aws-waf-logs-") && aws_cloudwatch_log_group.this.retention_in_days == 365
    error_message = "the log group must have the name that WAF demands, and a retention"
  }
  assert {
    condition     = keys(aws_wafv2_web_acl_association.this) == ["api"]
    error_message = "the stage must be protected"
  }
}

run "counting_blocks_nothing" {
  command = apply
  variables { count_only = true }

  assert {
    condition     = alltrue([for rule in aws_wafv2_web_acl.this.rule : length(rule.override_action[0].count) == 1 if rule.name != "rate-limit"])
    error_message = "count_only must count in every managed group"
  }
}

run "rejects_too_low_a_rate" {
  command = plan
  variables { rate_limit = 1 }
  expect_failures = [var.rate_limit]
}

run "rejects_unknown_rule_groups" {
  command = plan
  variables { managed_rule_groups = ["MyRules", "AWSManagedRulesKnownBadInputsRuleSet"] }
  expect_failures = [var.managed_rule_groups]
}

run "rejects_leaving_out_known_bad_inputs" {
  command = plan
  variables { managed_rule_groups = ["AWSManagedRulesCommonRuleSet"] }
  expect_failures = [var.managed_rule_groups]
}
