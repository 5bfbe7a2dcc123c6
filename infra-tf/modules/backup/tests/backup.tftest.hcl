mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/test" }
  }
}

variables {
  name          = "test"
  resource_arns = ["arn:aws:rds:eu-west-1:123456789012:cluster:test"]
}

run "daily_and_monthly_with_lifecycle" {
  command = plan

  assert {
    condition     = toset([for rule in aws_backup_plan.this.rule : "${rule.rule_name}:${rule.lifecycle[0].delete_after}"]) == toset(["daily:35", "monthly:365"])
    error_message = "daily snapshots must live 35 days and monthly ones a year"
  }
  assert {
    condition     = aws_backup_vault_lock_configuration.this[0].max_retention_days == 365
    error_message = "the lock must admit the longest retention"
  }
}

run "copies_elsewhere" {
  command = plan
  variables {
    copy_to_vault_arn      = "arn:aws:backup:eu-central-1:123456789012:backup-vault:away"
    monthly_retention_days = 0
  }

  assert {
    condition     = alltrue([for rule in aws_backup_plan.this.rule : length(rule.copy_action) == 1]) && length(aws_backup_plan.this.rule) == 1
    error_message = "each snapshot must be copied, and no monthly ones made"
  }
}

run "rejects_months_shorter_than_days" {
  command = plan
  variables { monthly_retention_days = 30 }
  expect_failures = [var.monthly_retention_days]
}

run "rejects_nothing_to_back_up" {
  command = plan
  variables { resource_arns = [] }
  expect_failures = [var.resource_arns]
}

run "rejects_a_vault_that_is_none" {
  command = plan
  variables { copy_to_vault_arn = "vault" }
  expect_failures = [var.copy_to_vault_arn]
}

run "rejects_no_retention" {
  command = plan
  variables { daily_retention_days = 0 }
  expect_failures = [var.daily_retention_days]
}
