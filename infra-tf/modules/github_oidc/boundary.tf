# The most that any role made by CI can ever do: what the modules give their roles, on what is this project's own.
# No IAM at all.
# A role that CI writes a wider policy for still gets no further than this.
data "aws_iam_policy_document" "boundary" {
  #checkov:skip=CKV_AWS_111:a boundary grants nothing by itself, it limits what the roles' own policies, which name resources, can grant
  #checkov:skip=CKV_AWS_356:as above
  #checkov:skip=CKV_AWS_109:as above
  #checkov:skip=CKV_AWS_108:as above
  statement {
    sid = "WhatKnowsNoResource"
    actions = [
      "xray:PutTraceSegments", "xray:PutTelemetryRecords",
      "cloudwatch:DescribeAlarms", "logs:DescribeLogGroups",
      "rds:DescribeDBClusterSnapshots", "rds:DescribeDBClusters",
    ]
    resources = ["*"]
  }

  # One role writes the logs of every API in the account and region, and API Gateway only takes one that may write to any
  # group. Nobody reads logs by it but where API Gateway itself has to.
  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents", "logs:PutRetentionPolicy"]
    resources = ["arn:${local.partition}:logs:${local.region}:${local.account}:log-group:*"]
  }

  statement {
    sid       = "ReadLogsOfApis"
    actions   = ["logs:FilterLogEvents", "logs:GetLogEvents"]
    resources = [for group in ["/aws/apigateway/*", "API-Gateway-Execution-Logs_*", "RDSOSMetrics*"] : "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${group}"]
  }

  # RDS draws the ids of clusters and proxies, and a proxy made anew must not need a new boundary; the user is what counts.
  statement {
    sid       = "DatabaseLogin"
    actions   = ["rds-db:connect"]
    resources = ["arn:${local.partition}:rds-db:${local.region}:${local.account}:dbuser:*/${var.database_iam_username}"]
  }

  statement {
    sid = "LambdaInVpc"
    actions = [
      "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
      "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
    ]
    resources = ["*"]
  }

  statement {
    sid = "SessionManagerChannel"
    actions = [
      "ssm:UpdateInstanceInformation",
      "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
      "ec2messages:AcknowledgeMessage", "ec2messages:DeleteMessage", "ec2messages:FailMessage",
      "ec2messages:GetEndpoint", "ec2messages:GetMessages", "ec2messages:SendReply",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "CodeDeploy"
    actions   = ["lambda:GetAlias", "lambda:UpdateAlias", "lambda:GetProvisionedConcurrencyConfig"]
    resources = local.function_arns
  }

  # AWS Backup names its snapshots by itself, for all that it backs up; so does AWS's own policy for it.
  statement {
    sid = "Snapshots"
    actions = [
      "rds:AddTagsToResource", "rds:CopyDBClusterSnapshot", "rds:CreateDBClusterSnapshot", "rds:DeleteDBClusterSnapshot", "rds:ListTagsForResource",
    ]
    resources = [
      "arn:${local.partition}:rds:${local.region}:${local.account}:cluster:${var.name}",
      "arn:${local.partition}:rds:*:${local.account}:cluster-snapshot:awsbackup:*",
    ]
  }

  statement {
    sid       = "Vault"
    actions   = ["backup:CopyFromBackupVault", "backup:DescribeBackupVault", "backup:TagResource"]
    resources = concat([local.vault_arn], ["arn:${local.partition}:backup:${local.region}:${local.account}:recovery-point:*", "arn:${local.partition}:rds:${local.region}:${local.account}:cluster-snapshot:awsbackup:*"])
  }

  # Into whatever vault of whatever account the plan copies to; that vault's own policy decides.
  statement {
    sid       = "CopyElsewhere"
    actions   = ["backup:CopyIntoBackupVault"]
    resources = ["arn:${local.partition}:backup:*:*:backup-vault:*"]
  }

  dynamic "statement" {
    for_each = var.kms_key_enabled || var.database_kms_key_arn != null ? [1] : []
    content {
      sid       = "OwnKeys"
      actions   = ["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
      resources = local.kms_key_arns
    }
  }

  # Keys that AWS manages, and those of vaults that snapshots are copied to: only by way of the services.
  statement {
    sid       = "KeysThroughServices"
    actions   = ["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
    resources = ["arn:${local.partition}:kms:*:*:key/*"]

    condition {
      test     = "StringLike"
      variable = "kms:ViaService"
      values   = ["backup.*.amazonaws.com", "rds.*.amazonaws.com"]
    }
  }
}

resource "aws_iam_policy" "boundary" {
  name        = local.boundary_name
  description = "The most that the workload roles of ${var.name} can do"
  policy      = data.aws_iam_policy_document.boundary.json

  tags = var.tags

  lifecycle {
    precondition {
      condition     = length(jsonencode(jsondecode(data.aws_iam_policy_document.boundary.json))) <= 6144
      error_message = "The boundary is larger than the 6144 characters that IAM takes."
    }
  }
}
