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
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
  mock_data "aws_rds_clusters" {
    defaults = { cluster_identifiers = [] }
  }
  mock_data "aws_rds_engine_version" {
    defaults = { version_actual = "17.7" }
  }
  mock_resource "aws_db_proxy_default_target_group" {
    defaults = { name = "default" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/test" }
  }
  mock_resource "aws_db_proxy" {
    defaults = { arn = "arn:aws:rds:eu-west-1:123456789012:db-proxy:prx-0123456789abcdef0", endpoint = "test.proxy.example" }
  }
  mock_resource "aws_rds_cluster" {
    defaults = {
      id                  = "test"
      cluster_resource_id = "cluster-ABC"
      master_user_secret  = [{ kms_key_id = "k", secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds", secret_status = "active" }]
    }
  }
}

variables {
  name                      = "test"
  vpc_id                    = "vpc-1"
  subnet_ids                = ["subnet-1", "subnet-2"]
  client_security_group_ids = { lambda = "sg-lambda", bastion = "sg-bastion" }
  direct_clients            = ["bastion"]
}

run "defaults_are_safe" {
  command = plan

  assert {
    condition = (aws_rds_cluster.this.storage_encrypted && aws_rds_cluster.this.deletion_protection
      && aws_rds_cluster.this.iam_database_authentication_enabled && aws_rds_cluster.this.manage_master_user_password
    && !aws_rds_cluster.this.skip_final_snapshot)
    error_message = "the cluster must be encrypted, protected, with IAM logins, a managed password and a last snapshot"
  }
  assert {
    condition     = alltrue([for instance in aws_rds_cluster_instance.this : !instance.publicly_accessible]) && length(aws_rds_cluster_instance.this) == 2
    error_message = "there must be a writer and a reader, both private"
  }
  assert {
    condition     = !aws_db_proxy.this[0].debug_logging && aws_db_proxy.this[0].require_tls && aws_db_proxy.this[0].default_auth_scheme == "IAM_AUTH"
    error_message = "the proxy must demand TLS and IAM and must not log statements"
  }
  assert {
    condition     = contains([for parameter in aws_rds_cluster_parameter_group.this["17"].parameter : "${parameter.name}=${parameter.value}"], "rds.force_ssl=1")
    error_message = "the cluster must force TLS"
  }
  assert {
    condition     = aws_secretsmanager_secret_rotation.master.rotation_rules[0].automatically_after_days == 7
    error_message = "the master password must be rotated"
  }
}

run "only_the_bastion_reaches_the_cluster_itself" {
  command = plan

  assert {
    condition     = keys(aws_vpc_security_group_ingress_rule.cluster_from_clients) == ["bastion"] && keys(aws_vpc_security_group_ingress_rule.proxy_from_clients) == ["bastion", "lambda"]
    error_message = "functions must go through the proxy"
  }
}

run "clients_log_in_through_the_proxy" {
  command = apply

  assert {
    condition     = output.client_connect_arn == "arn:aws:rds-db:eu-west-1:123456789012:dbuser:prx-0123456789abcdef0/lambda_iam"
    error_message = "the connect permission must name the proxy and the user"
  }
}

run "another_proxy_does_not_need_the_name_of_the_old_one" {
  command = apply
  variables { subnet_ids = ["subnet-1", "subnet-2", "subnet-3"] }

  assert {
    condition     = can(regex("^test-[0-9a-f]{8}$", output.proxy_name)) && output.proxy_name != run.clients_log_in_through_the_proxy.proxy_name
    error_message = "other subnets need another proxy, which is made while the old one is there: it must have another name"
  }
  assert {
    condition     = aws_cloudwatch_log_group.proxy[0].name == "/aws/rds/proxy/${output.proxy_name}"
    error_message = "the proxy's log group must be made before the proxy makes one without a retention"
  }
}

run "without_proxy_the_cluster_pauses_and_is_reached_directly" {
  command = apply
  variables {
    proxy_enabled = false
    min_capacity  = 0
    reader_count  = 0
  }

  assert {
    condition     = aws_rds_cluster.this.serverlessv2_scaling_configuration[0].min_capacity == 0 && output.client_connect_arn == "arn:aws:rds-db:eu-west-1:123456789012:dbuser:cluster-ABC/lambda_iam" && output.proxy_endpoint == null
    error_message = "without the proxy, clients must connect to the cluster and the cluster must pause"
  }
  assert {
    condition     = keys(aws_vpc_security_group_ingress_rule.cluster_from_clients) == ["bastion", "lambda"] && length(aws_iam_role.proxy) == 0
    error_message = "without the proxy, every client must be let in to the cluster"
  }
}

run "the_last_snapshot_outlives_key_and_name" {
  command = apply
  variables { kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000" }

  assert {
    condition     = can(regex("^test-final-[0-9a-f]{8}$", aws_rds_cluster.this.final_snapshot_identifier))
    error_message = "a second cluster of the name must not meet the snapshot of the first"
  }
  assert {
    condition     = aws_rds_cluster.this.master_user_secret_kms_key_id == var.kms_key_arn && aws_rds_cluster.this.kms_key_id != var.kms_key_arn
    error_message = "a key that goes with the deployment must not encrypt a snapshot that stays"
  }
}

run "a_sleeping_function_does_not_keep_the_cluster_awake" {
  command = plan
  variables {
    proxy_enabled = false
    min_capacity  = 0
  }

  assert {
    condition     = contains([for parameter in aws_rds_cluster_parameter_group.this["17"].parameter : parameter.name], "idle_session_timeout")
    error_message = "idle sessions must end, or the cluster never pauses"
  }
}

run "the_pause_is_said_only_where_the_cluster_pauses" {
  command = plan
  variables {
    proxy_enabled      = false
    min_capacity       = 0
    auto_pause_seconds = 900
  }

  assert {
    condition     = aws_rds_cluster.this.serverlessv2_scaling_configuration[0].seconds_until_auto_pause == 900
    error_message = "the pause must be the one that was asked for"
  }
}

run "a_cluster_that_never_pauses_has_no_pause" {
  command = plan
  variables {
    min_capacity       = 0.5
    auto_pause_seconds = 900
  }

  assert {
    condition     = try(aws_rds_cluster.this.serverlessv2_scaling_configuration[0].seconds_until_auto_pause != 900, true)
    error_message = "AWS takes a pause with a smallest capacity of 0 only"
  }
}

run "rejects_a_pause_that_aws_does_not_take" {
  command = plan
  variables { auto_pause_seconds = 60 }
  expect_failures = [var.auto_pause_seconds]
}

run "minor_versions_come_by_themselves_to_a_bare_major" {
  command = plan

  override_data {
    target = data.aws_rds_clusters.all
    values = { cluster_identifiers = ["test"] }
  }
  override_data {
    target = data.aws_rds_cluster.running
    values = { engine_version = "17.9" }
  }
  assert {
    condition     = aws_rds_cluster.this.engine_version == "17.9" && alltrue([for instance in aws_rds_cluster_instance.this : instance.auto_minor_version_upgrade])
    error_message = "what AWS has upgraded to must be asked for, or each change would be a downgrade"
  }
}

run "a_full_version_stays" {
  command = plan
  variables { engine_version = "17.6" }

  override_data {
    target = data.aws_rds_engine_version.wanted
    values = { version_actual = "17.6" }
  }
  override_data {
    target = data.aws_rds_clusters.all
    values = { cluster_identifiers = ["test"] }
  }
  override_data {
    target = data.aws_rds_cluster.running
    values = { engine_version = "17.4" }
  }
  assert {
    condition     = aws_rds_cluster.this.engine_version == "17.6" && alltrue([for instance in aws_rds_cluster_instance.this : !instance.auto_minor_version_upgrade])
    error_message = "a later minor must be asked for, and AWS must not go on by itself"
  }
}

run "a_forced_minor_version_is_not_taken_back" {
  command = plan
  variables { engine_version = "17.6" }

  override_data {
    target = data.aws_rds_engine_version.wanted
    values = { version_actual = "17.6" }
  }
  override_data {
    target = data.aws_rds_clusters.all
    values = { cluster_identifiers = ["test"] }
  }
  override_data {
    target = data.aws_rds_cluster.running
    values = { engine_version = "17.10" }
  }
  assert {
    condition     = aws_rds_cluster.this.engine_version == "17.10"
    error_message = "AWS refuses to go back, so it must not be asked to"
  }
}

run "a_major_upgrade_happens_at_once" {
  command = plan
  variables {
    engine_version              = "18"
    allow_major_version_upgrade = true
  }

  override_data {
    target = data.aws_rds_engine_version.wanted
    values = { version_actual = "18.3" }
  }
  override_data {
    target = data.aws_rds_clusters.all
    values = { cluster_identifiers = ["test"] }
  }
  override_data {
    target = data.aws_rds_cluster.running
    values = { engine_version = "17.9" }
  }
  assert {
    condition     = aws_rds_cluster.this.engine_version == "18.3" && aws_rds_cluster.this.apply_immediately && aws_rds_cluster.this.db_cluster_parameter_group_name == "test-aurora-postgresql18"
    error_message = "a major upgrade must take the new parameter group, and not wait"
  }
}

run "rejects_users_that_the_engine_keeps_for_itself" {
  command = plan
  variables { master_username = "rdsadmin" }
  expect_failures = [var.master_username]
}

run "rejects_databases_that_the_engine_keeps_for_itself" {
  command = plan
  variables { database_name = "template1" }
  expect_failures = [var.database_name]
}

run "rejects_an_alias_as_the_key_of_snapshots" {
  command = plan
  variables { storage_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:alias/test" }
  expect_failures = [var.storage_kms_key_arn]
}

run "rejects_a_pausing_cluster_behind_a_proxy" {
  command = plan
  variables { min_capacity = 0 }
  expect_failures = [var.min_capacity]
}

run "rejects_half_steps_of_capacity" {
  command = plan
  variables { max_capacity = 1.3 }
  expect_failures = [var.max_capacity]
}

run "rejects_max_below_min" {
  command = plan
  variables {
    min_capacity = 8
    max_capacity = 4
  }
  expect_failures = [var.max_capacity]
}

run "rejects_old_engines" {
  command = plan
  variables { engine_version = "9.6" }
  expect_failures = [var.engine_version]
}

run "rejects_one_user_for_both_purposes" {
  command = plan
  variables { iam_username = "postgres" }
  expect_failures = [var.iam_username]
}

run "rejects_one_subnet" {
  command = plan
  variables { subnet_ids = ["subnet-1"] }
  expect_failures = [var.subnet_ids]
}

run "rejects_direct_clients_nobody_knows" {
  command = plan
  variables { direct_clients = ["stranger"] }
  expect_failures = [var.direct_clients]
}

run "rejects_odd_performance_insights_retention" {
  command = plan
  variables { performance_insights_retention_days = 8 }
  expect_failures = [var.performance_insights_retention_days]
}

run "rejects_a_password_kept_for_months" {
  command = plan
  variables { master_secret_rotation_days = 120 }
  expect_failures = [var.master_secret_rotation_days]
}

run "rejects_no_backups" {
  command = plan
  variables { backup_retention_days = 0 }
  expect_failures = [var.backup_retention_days]
}
