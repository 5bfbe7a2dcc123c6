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
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/test" }
  }
  mock_resource "aws_db_proxy" {
    defaults = { arn = "arn:aws:rds:eu-west-1:123456789012:db-proxy:prx-0123456789abcdef0", endpoint = "test.proxy.example" }
  }
  mock_resource "aws_rds_cluster" {
    defaults = {
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
    && !aws_rds_cluster.this.skip_final_snapshot && aws_rds_cluster.this.final_snapshot_identifier == "test-final")
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
    condition     = contains([for parameter in aws_rds_cluster_parameter_group.this.parameter : "${parameter.name}=${parameter.value}"], "rds.force_ssl=1")
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

run "without_proxy_the_cluster_pauses_and_is_reached_directly" {
  command = apply
  variables {
    proxy_enabled = false
    min_capacity  = 0
    reader_count  = 0
  }

  assert {
    condition     = aws_rds_cluster.this.serverlessv2_scaling_configuration[0].seconds_until_auto_pause == 900 && output.client_connect_arn == "arn:aws:rds-db:eu-west-1:123456789012:dbuser:cluster-ABC/lambda_iam" && output.proxy_endpoint == null
    error_message = "without the proxy, clients must connect to the cluster and the cluster must pause"
  }
  assert {
    condition     = keys(aws_vpc_security_group_ingress_rule.cluster_from_clients) == ["bastion", "lambda"] && length(aws_iam_role.proxy) == 0
    error_message = "without the proxy, every client must be let in to the cluster"
  }
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
