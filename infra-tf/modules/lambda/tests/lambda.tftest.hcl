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
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:eu-west-1:123456789012:function:test", version = "1" }
  }
}

variables {
  name                  = "test"
  vpc_id                = "vpc-1"
  subnet_ids            = ["subnet-1"]
  artifact_path         = "tests/fixtures/artifact.zip"
  environment           = { DB_HOST = "db" }
  database_connect_arns = ["arn:aws:rds-db:eu-west-1:123456789012:dbuser:prx-1/lambda_iam"]
}

run "three_functions_of_one_artifact" {
  command = plan

  assert {
    condition     = keys(aws_lambda_function.this) == ["delete", "get", "post"] && length(toset([for function in aws_lambda_function.this : function.source_code_hash])) == 1
    error_message = "get, post and delete must be made from one artifact"
  }
  assert {
    condition     = alltrue([for function in aws_lambda_function.this : function.runtime == "provided.al2023" && function.publish && function.tracing_config[0].mode == "Active"])
    error_message = "functions must run on provided.al2023, be published as versions, and be traced"
  }
  assert {
    condition     = alltrue([for group in aws_cloudwatch_log_group.this : group.retention_in_days == 365])
    error_message = "every log group must have a retention"
  }
  assert {
    condition     = length(aws_codedeploy_app.this) == 0 && length(aws_lambda_provisioned_concurrency_config.this) == 0 && keys(aws_lambda_alias.terraform_moved) == ["delete", "get", "post"]
    error_message = "by default Terraform moves the alias and nothing is kept warm"
  }
}

run "canary_is_watched_by_alarms" {
  command = plan
  variables {
    deployment_strategy    = "canary"
    deployment_alarm_names = ["errors"]
  }

  assert {
    condition     = alltrue([for group in aws_codedeploy_deployment_group.this : group.alarm_configuration[0].enabled && group.auto_rollback_configuration[0].enabled]) && length(aws_codedeploy_deployment_group.this) == 3
    error_message = "each function must have a deployment group that rolls back on alarms"
  }
  assert {
    condition     = length(aws_lambda_alias.terraform_moved) == 0 && length(aws_lambda_alias.codedeploy_moved) == 3
    error_message = "Terraform must leave the alias to CodeDeploy"
  }
  assert {
    condition     = output.alias_name == "live-shifted"
    error_message = "the alias needs another name than the one of before, which goes later"
  }
}

run "provisioned_concurrency" {
  command = plan
  variables { provisioned_concurrency = 2 }

  assert {
    condition     = alltrue([for warm in aws_lambda_provisioned_concurrency_config.this : warm.qualifier == "live" && warm.provisioned_concurrent_executions == 2]) && length(aws_lambda_provisioned_concurrency_config.this) == 3
    error_message = "the live alias of each function must be kept warm"
  }
}

run "stops_without_artifact" {
  command = plan
  variables { artifact_path = "tests/fixtures/missing.zip" }
  expect_failures = [aws_lambda_function.this]
}

run "stops_at_a_stale_artifact" {
  command = plan
  variables {
    artifact_path          = "tests/fixtures/stale.zip"
    expected_source_digest = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
  }
  expect_failures = [aws_lambda_function.this]
}

run "takes_an_artifact_of_the_same_sources" {
  command = plan
  variables {
    artifact_path          = "tests/fixtures/stale.zip"
    expected_source_digest = "0000000000000000000000000000000000000000000000000000000000000000"
  }

  assert {
    condition     = !local.artifact_stale
    error_message = "equal digests are not stale"
  }
}

run "rejects_a_timeout_beyond_the_gateway" {
  command = plan
  variables { timeout_seconds = 60 }
  expect_failures = [var.timeout_seconds]
}

run "rejects_unknown_architecture" {
  command = plan
  variables { architecture = "riscv64" }
  expect_failures = [var.architecture]
}

run "rejects_less_reserved_than_provisioned" {
  command = plan
  variables {
    provisioned_concurrency = 5
    reserved_concurrency    = 2
  }
  expect_failures = [var.reserved_concurrency]
}

run "rejects_unknown_strategy" {
  command = plan
  variables { deployment_strategy = "hope" }
  expect_failures = [var.deployment_strategy]
}

run "rejects_functions_without_database" {
  command = plan
  variables { database_connect_arns = [] }
  expect_failures = [var.database_connect_arns]
}
