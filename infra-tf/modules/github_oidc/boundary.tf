# The most that any role made by CI can ever do: the union of what the modules give their roles, and no IAM at all.
# A role that CI writes a wider policy for still gets no further than this.
data "aws_iam_policy_document" "boundary" {
  #checkov:skip=CKV_AWS_111:a boundary grants nothing by itself, it limits what the roles' own policies, which name resources, can grant
  #checkov:skip=CKV_AWS_356:as above
  #checkov:skip=CKV_AWS_109:as above
  #checkov:skip=CKV_AWS_108:as above
  statement {
    sid = "LogsAndTraces"
    actions = [
      "logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogGroups", "logs:DescribeLogStreams",
      "logs:FilterLogEvents", "logs:GetLogEvents", "logs:PutLogEvents", "logs:PutRetentionPolicy",
      "xray:PutTraceSegments", "xray:PutTelemetryRecords",
      "cloudwatch:DescribeAlarms", "cloudwatch:PutMetricData",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "DatabaseLogin"
    actions   = ["rds-db:connect"]
    resources = ["arn:${local.partition}:rds-db:${local.region}:${local.account}:dbuser:*"]
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
    resources = ["arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.name}-*"]
  }

  statement {
    sid = "Backup"
    actions = [
      "backup:CopyFromBackupVault", "backup:CopyIntoBackupVault", "backup:DescribeBackupVault", "backup:TagResource",
      "rds:AddTagsToResource", "rds:CopyDBClusterSnapshot", "rds:CreateDBClusterSnapshot", "rds:DeleteDBClusterSnapshot",
      "rds:DescribeDBClusterSnapshots", "rds:DescribeDBClusters", "rds:ListTagsForResource",
      "kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey",
    ]
    resources = ["*"]
  }
}

resource "aws_iam_policy" "boundary" {
  name        = local.boundary_name
  description = "The most that the workload roles of ${var.name} can do"
  policy      = data.aws_iam_policy_document.boundary.json

  tags = var.tags
}
