# What the deploying role may change, one policy per corner of AWS: a managed policy holds 6,144 characters, and names
# are written out, because a pattern like NAME-* would reach the environment NAME-2.

data "aws_iam_policy_document" "data" {
  #checkov:skip=CKV_AWS_111:proxies, target groups, plans and secrets are named by AWS; see the reason at each statement
  #checkov:skip=CKV_AWS_356:as above
  #checkov:skip=CKV_AWS_109:as above
  statement {
    sid = "Database"
    actions = [
      "rds:AddTagsToResource", "rds:CreateDBCluster", "rds:CreateDBClusterParameterGroup", "rds:CreateDBClusterSnapshot", "rds:CreateDBInstance",
      "rds:DeleteDBCluster", "rds:DeleteDBClusterParameterGroup", "rds:DeleteDBInstance", "rds:DeleteDBSubnetGroup", "rds:DeregisterDBProxyTargets",
      "rds:ModifyDBCluster", "rds:ModifyDBClusterParameterGroup", "rds:ModifyDBInstance", "rds:ModifyDBSubnetGroup",
      "rds:RebootDBInstance", "rds:RegisterDBProxyTargets", "rds:RemoveTagsFromResource", "rds:ResetDBClusterParameterGroup",
    ]
    # ... and the groups that Amazon brings, which a new cluster or instance takes where it is given none.
    resources = concat(
      [for name in local.database_names : "arn:${local.partition}:rds:${local.region}:${local.account}:${name}"],
      [for kind in ["og", "pg"] : "arn:${local.partition}:rds:${local.region}:${local.account}:${kind}:default*"],
    )
  }

  statement {
    sid       = "Proxy"
    actions   = ["rds:AddTagsToResource", "rds:DeleteDBProxy", "rds:DeregisterDBProxyTargets", "rds:ModifyDBProxy", "rds:RegisterDBProxyTargets", "rds:RemoveTagsFromResource"]
    resources = ["arn:${local.partition}:rds:${local.region}:${local.account}:db-proxy:*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/Project"
      values   = [var.project_tag]
    }
  }

  # Target groups are named by AWS and bear no tags.
  statement {
    sid       = "ProxyTargets"
    actions   = ["rds:DeregisterDBProxyTargets", "rds:ModifyDBProxyTargetGroup", "rds:RegisterDBProxyTargets"]
    resources = ["arn:${local.partition}:rds:${local.region}:${local.account}:target-group:*"]
  }

  # RDS knows no resource for a proxy that is yet to be made.
  statement {
    sid       = "CreateTagged"
    actions   = ["rds:CreateDBProxy", "backup:CreateBackupPlan"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/Project"
      values   = [var.project_tag]
    }
  }

  # RDS names the secret.
  statement {
    sid       = "MasterSecretRotation"
    actions   = ["secretsmanager:CancelRotateSecret", "secretsmanager:CreateSecret", "secretsmanager:TagResource", "secretsmanager:RotateSecret"]
    resources = ["arn:${local.partition}:secretsmanager:${local.region}:${local.account}:secret:rds!cluster-*"]
  }

  statement {
    sid       = "BackupPlan"
    actions   = ["backup:CreateBackupSelection", "backup:DeleteBackupPlan", "backup:DeleteBackupSelection", "backup:TagResource", "backup:UntagResource", "backup:UpdateBackupPlan"]
    resources = ["arn:${local.partition}:backup:${local.region}:${local.account}:backup-plan:*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/Project"
      values   = [var.project_tag]
    }
  }

  statement {
    sid = "BackupVault"
    actions = [
      "backup:CreateBackupVault", "backup:DeleteBackupVault", "backup:DeleteBackupVaultLockConfiguration",
      "backup:PutBackupVaultLockConfiguration", "backup:TagResource", "backup:UntagResource",
    ]
    resources = [local.vault_arn]
  }

  # A vault's storage knows no resource.
  statement {
    sid       = "BackupStorage"
    actions   = ["backup-storage:MountCapsule"]
    resources = ["*"]
  }

  dynamic "statement" {
    for_each = var.state_bucket_name == null ? [] : [var.state_bucket_name]
    content {
      sid       = "WriteState"
      actions   = ["s3:PutObject"]
      resources = ["arn:${local.partition}:s3:::${statement.value}/${local.state_key}"]
    }
  }

  dynamic "statement" {
    for_each = var.state_bucket_name == null ? [] : [var.state_bucket_name]
    content {
      sid       = "LockState"
      actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
      resources = ["arn:${local.partition}:s3:::${statement.value}/${local.state_key}.tflock"]
    }
  }

  dynamic "statement" {
    for_each = var.state_kms_key_arn == null ? [] : [var.state_kms_key_arn]
    content {
      sid       = "EncryptState"
      actions   = ["kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }

  dynamic "statement" {
    for_each = var.kms_key_enabled || var.database_kms_key_arn != null ? [1] : []
    content {
      sid = "UseKeys"
      actions = [
        "kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey",
        "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:RetireGrant",
      ]
      resources = local.kms_key_arns
    }
  }

  dynamic "statement" {
    for_each = var.kms_key_enabled ? [1] : []
    content {
      sid       = "TagKey"
      actions   = ["kms:TagResource", "kms:UntagResource"]
      resources = [var.kms_key_arn]
    }
  }
}

data "aws_iam_policy_document" "functions" {
  #checkov:skip=CKV_AWS_109:the resource policies are those of this project's functions
  statement {
    sid = "Functions"
    actions = [
      "lambda:AddPermission", "lambda:CreateAlias", "lambda:CreateFunction", "lambda:DeleteAlias", "lambda:DeleteFunction",
      "lambda:DeleteFunctionConcurrency", "lambda:DeleteProvisionedConcurrencyConfig", "lambda:PublishVersion", "lambda:PutFunctionConcurrency",
      "lambda:PutProvisionedConcurrencyConfig", "lambda:RemovePermission", "lambda:TagResource", "lambda:UntagResource", "lambda:UpdateAlias",
      "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration",
    ]
    resources = local.function_arns
  }

  statement {
    sid = "LogGroups"
    actions = [
      "logs:AssociateKmsKey", "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:PutRetentionPolicy",
      "logs:TagResource", "logs:UntagResource",
    ]
    resources = local.log_group_arns
  }

  statement {
    sid = "CodeDeploy"
    actions = [
      "codedeploy:CreateApplication", "codedeploy:CreateDeployment", "codedeploy:CreateDeploymentGroup", "codedeploy:DeleteApplication",
      "codedeploy:DeleteDeploymentGroup", "codedeploy:GetApplicationRevision", "codedeploy:GetDeployment", "codedeploy:GetDeploymentConfig",
      "codedeploy:RegisterApplicationRevision", "codedeploy:TagResource", "codedeploy:UntagResource", "codedeploy:UpdateDeploymentGroup",
    ]
    resources = concat(local.codedeploy_arns, ["arn:${local.partition}:codedeploy:${local.region}:${local.account}:deploymentconfig:CodeDeployDefault.*"])
  }
}

data "aws_iam_policy_document" "edge" {
  #checkov:skip=CKV_AWS_111:log delivery knows no resources
  #checkov:skip=CKV_AWS_356:as above
  #checkov:skip=CKV_AWS_109:as above
  statement {
    sid     = "Api"
    actions = ["apigateway:DELETE", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT", "apigateway:SetWebACL"]
    resources = [
      local.api_arn,
      "${local.api_arn}/*",
      "arn:${local.partition}:apigateway:${local.region}::/tags/arn%3A${local.partition}%3Aapigateway%3A${local.region}%3A%3A%2Frestapis%2F${var.rest_api_id}*",
    ]
  }

  # AWS's own rule groups are a resource of whoever puts them into an ACL.
  statement {
    sid = "WebAcl"
    actions = [
      "wafv2:AssociateWebACL", "wafv2:CreateWebACL", "wafv2:DeleteLoggingConfiguration", "wafv2:DeleteWebACL", "wafv2:DisassociateWebACL",
      "wafv2:PutLoggingConfiguration", "wafv2:TagResource", "wafv2:UntagResource", "wafv2:UpdateWebACL",
    ]
    resources = [
      local.web_acl_arn,
      "${local.api_arn}/stages/*",
      "arn:${local.partition}:wafv2:${local.region}:${local.account}:regional/managedruleset/*",
    ]
  }

  statement {
    sid = "LogDelivery"
    actions = [
      "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:UpdateLogDelivery",
      "logs:PutResourcePolicy", "logs:DescribeResourcePolicies",
    ]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "watch" {
  #checkov:skip=CKV_AWS_111:saved queries and subscriptions know no resources
  #checkov:skip=CKV_AWS_356:as above
  #checkov:skip=CKV_AWS_109:as above
  statement {
    sid       = "Alarms"
    actions   = ["cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource", "cloudwatch:UntagResource"]
    resources = local.alarm_arns
  }

  statement {
    sid       = "Dashboard"
    actions   = ["cloudwatch:DeleteDashboards", "cloudwatch:PutDashboard"]
    resources = ["arn:${local.partition}:cloudwatch::${local.account}:dashboard/${var.name}"]
  }

  statement {
    sid       = "Topic"
    actions   = ["sns:CreateTopic", "sns:DeleteTopic", "sns:SetTopicAttributes", "sns:Subscribe", "sns:TagResource", "sns:UntagResource"]
    resources = [local.topic_arn]
  }

  statement {
    sid       = "QueriesAndSubscriptions"
    actions   = ["logs:DeleteQueryDefinition", "logs:PutQueryDefinition", "sns:Unsubscribe"]
    resources = ["*"]
  }

  statement {
    sid       = "Traces"
    actions   = ["xray:CreateGroup", "xray:CreateSamplingRule", "xray:DeleteGroup", "xray:DeleteSamplingRule", "xray:TagResource", "xray:UntagResource", "xray:UpdateGroup", "xray:UpdateSamplingRule"]
    resources = ["arn:${local.partition}:xray:${local.region}:${local.account}:group/${local.trace_name}/*", "arn:${local.partition}:xray:${local.region}:${local.account}:sampling-rule/${local.trace_name}"]
  }
}
