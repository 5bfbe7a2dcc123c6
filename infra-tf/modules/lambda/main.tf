data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  artifact_exists = fileexists(var.artifact_path)
  # Written by `cargo xtask lambda build`; an artifact from elsewhere, say a release, has none and is taken as it is.
  artifact_sources = try(trimspace(file("${var.artifact_path}.sources")), null)
  artifact_stale   = var.expected_source_digest != null && local.artifact_sources != null && local.artifact_sources != var.expected_source_digest
  uses_codedeploy  = var.deployment_strategy != "all_at_once"
  alias_name       = local.uses_codedeploy ? "live-shifted" : "live"
}

resource "aws_security_group" "this" {
  name        = "${var.name}-lambda"
  description = "Functions of ${var.name}; the only way out is the one that the database module opens"
  vpc_id      = var.vpc_id

  tags = merge(var.tags, { Name = "${var.name}-lambda" })
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = var.functions

  name              = "/aws/lambda/${var.name}-${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn

  tags = var.tags
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_115:reserved_concurrency is the caller's choice, and new accounts have no concurrency to reserve
  #checkov:skip=CKV_AWS_116:API Gateway invokes synchronously, so a failed event goes back to the client and never to a queue
  #checkov:skip=CKV_AWS_272:the artifact comes from this repository's own pipeline and is compared by digest before each plan
  #checkov:skip=CKV_AWS_173:the variables hold host names and no secret, the functions sign IAM tokens; kms_key_arn encrypts them where it is set
  for_each = var.functions

  function_name = "${var.name}-${each.key}"
  description   = "${each.key} of the animals API"
  role          = aws_iam_role.this.arn

  filename         = var.artifact_path
  source_code_hash = local.artifact_exists ? filebase64sha256(var.artifact_path) : null
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  publish          = true

  memory_size                    = var.memory_mb
  timeout                        = var.timeout_seconds
  reserved_concurrent_executions = var.reserved_concurrency
  kms_key_arn                    = var.kms_key_arn

  environment {
    variables = var.environment
  }

  logging_config {
    log_format            = "JSON"
    application_log_level = var.log_level
    system_log_level      = "INFO"
    log_group             = aws_cloudwatch_log_group.this[each.key].name
  }

  tracing_config {
    mode = var.tracing_enabled ? "Active" : "PassThrough"
  }

  vpc_config {
    subnet_ids         = var.subnet_ids
    security_group_ids = [aws_security_group.this.id]
  }

  tags = var.tags

  lifecycle {
    precondition {
      condition     = local.artifact_exists
      error_message = "The Lambda artifact ${var.artifact_path} does not exist. Build it with: cargo xtask lambda build --arch ${var.architecture}"
    }
    precondition {
      condition     = !local.artifact_stale
      error_message = "The Lambda artifact ${var.artifact_path} was built from other sources than those checked out. Build it anew with: cargo xtask lambda build --arch ${var.architecture}"
    }
  }

  depends_on = [aws_iam_role_policy.this]
}

# Two aliases of two names, since `ignore_changes` cannot depend on a variable and CodeDeploy moves its alias itself. A
# change of the strategy makes the other alias first, then leads API Gateway to it, and removes the one of before.
resource "aws_lambda_alias" "terraform_moved" {
  for_each = local.uses_codedeploy ? toset([]) : var.functions

  name             = local.alias_name
  description      = "What API Gateway calls"
  function_name    = aws_lambda_function.this[each.key].function_name
  function_version = aws_lambda_function.this[each.key].version
}

resource "aws_lambda_alias" "codedeploy_moved" {
  for_each = local.uses_codedeploy ? var.functions : toset([])

  name             = local.alias_name
  description      = "What API Gateway calls, moved by CodeDeploy"
  function_name    = aws_lambda_function.this[each.key].function_name
  function_version = aws_lambda_function.this[each.key].version

  lifecycle {
    ignore_changes = [function_version, routing_config]
  }
}

locals {
  aliases = local.uses_codedeploy ? aws_lambda_alias.codedeploy_moved : aws_lambda_alias.terraform_moved
}

resource "aws_lambda_provisioned_concurrency_config" "this" {
  for_each = var.provisioned_concurrency > 0 ? var.functions : toset([])

  function_name                     = aws_lambda_function.this[each.key].function_name
  qualifier                         = local.aliases[each.key].name
  provisioned_concurrent_executions = var.provisioned_concurrency
}
