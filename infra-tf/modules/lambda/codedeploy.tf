locals {
  deployment_configs = {
    canary     = "CodeDeployDefault.LambdaCanary10Percent5Minutes"
    linear     = "CodeDeployDefault.LambdaLinear10PercentEvery1Minute"
    blue_green = "CodeDeployDefault.LambdaAllAtOnce"
  }
}

data "aws_iam_policy_document" "codedeploy_trust" {
  statement {
    sid     = "CodeDeploy"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["codedeploy.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_iam_role" "codedeploy" {
  count = local.uses_codedeploy ? 1 : 0

  name                 = "${var.name}-codedeploy"
  description          = "Lets CodeDeploy move the aliases of ${var.name}"
  assume_role_policy   = data.aws_iam_policy_document.codedeploy_trust.json
  permissions_boundary = var.permissions_boundary_arn

  tags = var.tags
}

data "aws_iam_policy_document" "codedeploy" {
  #checkov:skip=CKV_AWS_356:cloudwatch:DescribeAlarms knows no resources
  statement {
    sid       = "MoveAliases"
    actions   = ["lambda:GetAlias", "lambda:UpdateAlias", "lambda:GetProvisionedConcurrencyConfig"]
    resources = [for function in var.functions : "${aws_lambda_function.this[function].arn}*"]
  }

  statement {
    sid       = "WatchAlarms"
    actions   = ["cloudwatch:DescribeAlarms"]
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "codedeploy" {
  count = local.uses_codedeploy ? 1 : 0

  name   = "move-aliases"
  role   = aws_iam_role.codedeploy[0].id
  policy = data.aws_iam_policy_document.codedeploy.json
}

resource "aws_codedeploy_app" "this" {
  count = local.uses_codedeploy ? 1 : 0

  name             = var.name
  compute_platform = "Lambda"

  tags = var.tags
}

resource "aws_codedeploy_deployment_group" "this" {
  for_each = local.uses_codedeploy ? var.functions : toset([])

  app_name               = aws_codedeploy_app.this[0].name
  deployment_group_name  = "${var.name}-${each.key}"
  deployment_config_name = local.deployment_configs[var.deployment_strategy]
  service_role_arn       = aws_iam_role.codedeploy[0].arn

  deployment_style {
    deployment_option = "WITH_TRAFFIC_CONTROL"
    deployment_type   = "BLUE_GREEN"
  }

  auto_rollback_configuration {
    enabled = true
    events  = ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"]
  }

  alarm_configuration {
    enabled = length(var.deployment_alarm_names) > 0
    alarms  = var.deployment_alarm_names
  }

  tags = var.tags

  depends_on = [aws_iam_role_policy.codedeploy]
}
