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
}

run "encrypted_versioned_private" {
  command = plan

  assert {
    condition     = aws_s3_bucket.state.bucket == "postgresasapp-tfstate-123456789012-us-east-1"
    error_message = "the name must say project, account and region"
  }
  assert {
    condition     = alltrue([for versioning in aws_s3_bucket_versioning.this : versioning.versioning_configuration[0].status == "Enabled"])
    error_message = "old versions must be kept"
  }
  assert {
    condition     = aws_s3_bucket_public_access_block.state.block_public_policy && aws_s3_bucket_public_access_block.state.restrict_public_buckets && aws_s3_bucket_public_access_block.logs.block_public_acls
    error_message = "nothing may be public"
  }
  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.state.rule[0].noncurrent_version_expiration[0].newer_noncurrent_versions == 20 && aws_s3_bucket_lifecycle_configuration.logs.rule[0].expiration[0].days == 365
    error_message = "old versions and logs must expire"
  }
}

run "rejects_short_lived_versions" {
  command = plan
  variables { state_version_days = 1 }
  expect_failures = [var.state_version_days]
}

run "rejects_names_that_s3_refuses" {
  command = plan
  variables { bucket_name = "No_Bucket" }
  expect_failures = [var.bucket_name]
}

run "rejects_logs_that_expire_before_they_move" {
  command = plan
  variables { access_log_days = 7 }
  expect_failures = [var.access_log_days]
}

run "rejects_keeping_no_version" {
  command = plan
  variables { state_versions_kept = 0 }
  expect_failures = [var.state_versions_kept]
}

run "rejects_names_that_leave_no_room_for_the_log_bucket" {
  command = plan
  variables {
    project = "abcdefghijklmnopqrstuvwx"
    region  = "ap-southeast-2"
  }
  expect_failures = [var.project]
}

run "a_key_for_databases_when_asked" {
  command = plan
  variables { database_key_enabled = true }

  assert {
    condition     = aws_kms_key.database[0].enable_key_rotation && aws_kms_alias.database[0].name == "alias/postgresasapp-database"
    error_message = "the key of the databases must be rotated and have an alias"
  }
}
