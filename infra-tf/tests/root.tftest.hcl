mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { region = "eu-west-1" }
  }
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-west-1a", "eu-west-1b", "eu-west-1c"] }
  }
  mock_data "aws_ssm_parameter" {
    defaults = { insecure_value = "ami-0123456789abcdef0" }
  }
  mock_data "aws_rds_engine_version" {
    defaults = { version_actual = "17.7" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
}

variables {
  lambda_artifact_path = "tests/fixtures/artifact.zip"
  lambda_check_sources = false
}

run "defaults_plan_at_the_first_go" {
  command = plan

  assert {
    condition     = output.lambda_function_names == { get = "postgresasapp-dev-get", post = "postgresasapp-dev-post", delete = "postgresasapp-dev-delete" }
    error_message = "names must come from project and environment"
  }
  assert {
    condition     = [output.database_master_username, output.database_iam_token_username] == ["postgres", "lambda_iam"]
    error_message = "the users must be those of the bootstrap"
  }
  assert {
    condition     = length(module.waf) == 1 && length(module.backup) == 1 && length(module.bastion) == 1 && length(module.github_oidc) == 0
    error_message = "protection must be on by default, and CI roles off until a repository is named"
  }
  assert {
    condition     = output.github_actions_role_arn == null && output.state_bucket_name == null
    error_message = "outputs of what is off must be null"
  }
}

run "continuous_integration" {
  command = plan
  variables {
    github_repository = "someone/postgres-as-app"
    state_bucket_name = "postgresasapp-dev-state"
  }

  assert {
    condition     = length(module.github_oidc) == 1 && output.state_bucket_name == "postgresasapp-dev-state"
    error_message = "a named repository must get its roles"
  }
}

run "everything_of_the_future_list" {
  command = plan
  variables {
    nat_mode                       = "none"
    vpc_interface_endpoints        = ["ssm", "ssmmessages", "ec2messages", "logs", "xray"]
    alarm_emails                   = ["someone@example.org"]
    lambda_provisioned_concurrency = 1
    deployment_strategy            = "canary"
    api_cache_enabled              = true
  }

  assert {
    condition     = toset(keys(output.codedeploy_deployments)) == toset(["delete", "get", "post"])
    error_message = "CodeDeploy must deploy each function"
  }
}

run "smallest" {
  command = plan
  variables {
    create_kms_key         = false
    waf_enabled            = false
    backup_enabled         = false
    bastion_enabled        = false
    alarms_enabled         = false
    dashboard_enabled      = false
    log_queries_enabled    = false
    tracing_enabled        = false
    vpc_flow_logs_enabled  = false
    database_proxy_enabled = false
    database_min_capacity  = 0
    database_reader_count  = 0
  }

  assert {
    condition     = length(module.waf) + length(module.backup) + length(module.bastion) + length(aws_kms_key.this) == 0 && output.database_proxy_endpoint == null && output.ec2_instance_id == null
    error_message = "everything optional must be off"
  }
}

run "a_missing_artifact_stops_the_plan" {
  command = plan
  variables { lambda_artifact_path = "tests/fixtures/missing.zip" }
  expect_failures = [var.lambda_artifact_path]
}

run "rejects_a_bastion_without_endpoints" {
  command = plan
  variables { vpc_interface_endpoints = ["ssm"] }
  expect_failures = [var.vpc_interface_endpoints]
}

run "rejects_codedeploy_without_alarms" {
  command = plan
  variables {
    deployment_strategy = "canary"
    alarms_enabled      = false
  }
  expect_failures = [var.alarms_enabled]
}

run "rejects_a_pausing_database_behind_a_proxy" {
  command = plan
  variables { database_min_capacity = 0 }
  expect_failures = [var.database_min_capacity]
}

run "rejects_long_projects" {
  command = plan
  variables { project = "a-project-with-a-name-that-is-too-long" }
  expect_failures = [var.project]
}

run "rejects_places_that_are_no_regions" {
  command = plan
  variables { region = "Ireland" }
  expect_failures = [var.region]
}

run "rejects_repositories_with_wildcards" {
  command = plan
  variables { github_repository = "someone/*" }
  expect_failures = [var.github_repository]
}

run "each_environment_has_a_folder_of_its_own_in_the_state_bucket" {
  command = plan
  variables {
    environment       = "dev-2"
    github_repository = "someone/postgres-as-app"
    state_bucket_name = "postgresasapp-state"
  }

  assert {
    condition     = output.state_key == "infra-tf/dev-2/terraform.tfstate"
    error_message = "CI must reach the state of its own environment only"
  }
}

run "rejects_names_of_zones" {
  command = plan
  variables { exclude_zone_ids = ["us-east-1a"] }
  expect_failures = [var.exclude_zone_ids]
}

run "rejects_half_of_an_immutable_subject" {
  command = plan
  variables {
    github_repository    = "someone/postgres-as-app"
    github_repository_id = "456"
  }
  expect_failures = [var.github_owner_id]
}

run "rejects_an_alias_as_the_key_of_snapshots" {
  command = plan
  variables { database_kms_key_arn = "alias/database" }
  expect_failures = [var.database_kms_key_arn]
}
