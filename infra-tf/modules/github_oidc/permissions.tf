# What a plan reads. Nothing here reads a secret, a database row or an object outside the state folder.
data "aws_iam_policy_document" "read" {
  #checkov:skip=CKV_AWS_356:the describe and list actions of these services know no resources
  statement {
    sid = "Describe"
    actions = [
      "ec2:Describe*", "rds:Describe*", "rds:ListTagsForResource", "kms:ListAliases",
      "logs:DescribeLogGroups", "logs:DescribeQueryDefinitions", "logs:ListTagsForResource",
      "cloudwatch:DescribeAlarms", "cloudwatch:GetDashboard", "cloudwatch:ListTagsForResource",
      "xray:GetGroup", "xray:GetGroups", "xray:GetSamplingRules", "xray:ListTagsForResource",
      "sns:GetSubscriptionAttributes", "sts:GetCallerIdentity",
    ]
    resources = ["*"]
  }

  statement {
    sid = "ReadOwn"
    actions = [
      "lambda:GetAlias", "lambda:GetFunction", "lambda:GetFunctionCodeSigningConfig", "lambda:GetFunctionConfiguration",
      "lambda:GetPolicy", "lambda:GetProvisionedConcurrencyConfig", "lambda:ListTags", "lambda:ListVersionsByFunction",
      "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic", "sns:ListTagsForResource",
      "codedeploy:GetApplication", "codedeploy:GetDeploymentConfig", "codedeploy:GetDeploymentGroup", "codedeploy:ListTagsForResource",
      "backup:DescribeBackupVault", "backup:ListTags",
      "iam:GetInstanceProfile", "iam:GetPolicy", "iam:GetPolicyVersion", "iam:GetRole", "iam:GetRolePolicy",
      "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListPolicyVersions", "iam:ListRolePolicies",
      "wafv2:GetLoggingConfiguration", "wafv2:GetWebACL", "wafv2:ListTagsForResource",
    ]
    resources = [
      "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.name}-*",
      "arn:${local.partition}:sns:${local.region}:${local.account}:${var.name}-*",
      "arn:${local.partition}:codedeploy:${local.region}:${local.account}:application:${var.name}",
      "arn:${local.partition}:codedeploy:${local.region}:${local.account}:deploymentgroup:${var.name}/${var.name}-*",
      "arn:${local.partition}:codedeploy:${local.region}:${local.account}:deploymentconfig:CodeDeployDefault.*",
      "arn:${local.partition}:backup:${local.region}:${local.account}:backup-vault:${var.name}",
      "arn:${local.partition}:iam::${local.account}:role/${var.name}-*",
      "arn:${local.partition}:iam::${local.account}:instance-profile/${var.name}-*",
      "arn:${local.partition}:iam::${local.account}:policy/${var.name}-*",
      "arn:${local.partition}:wafv2:${local.region}:${local.account}:regional/webacl/${var.name}/*",
    ]
  }

  # Identifiers that AWS draws, so there is no prefix to name.
  statement {
    sid       = "ReadBackupPlan"
    actions   = ["backup:GetBackupPlan", "backup:GetBackupSelection", "backup:ListTags"]
    resources = ["arn:${local.partition}:backup:${local.region}:${local.account}:backup-plan:*"]
  }

  statement {
    sid       = "ReadMasterSecretsDescription"
    actions   = ["secretsmanager:DescribeSecret"]
    resources = ["arn:${local.partition}:secretsmanager:${local.region}:${local.account}:secret:rds!cluster-*"]
  }

  statement {
    sid     = "ReadApi"
    actions = ["apigateway:GET"]
    resources = [
      "arn:${local.partition}:apigateway:${local.region}::/restapis/${var.rest_api_id}",
      "arn:${local.partition}:apigateway:${local.region}::/restapis/${var.rest_api_id}/*",
      "arn:${local.partition}:apigateway:${local.region}::/account",
      "arn:${local.partition}:apigateway:${local.region}::/tags/*",
    ]
  }

  statement {
    sid       = "ReadWebAclOfTheStage"
    actions   = ["wafv2:GetWebACLForResource"]
    resources = ["arn:${local.partition}:apigateway:${local.region}::/restapis/${var.rest_api_id}/stages/*", "arn:${local.partition}:wafv2:${local.region}:${local.account}:regional/webacl/${var.name}/*"]
  }

  statement {
    sid       = "ReadOidcProvider"
    actions   = ["iam:GetOpenIDConnectProvider"]
    resources = ["arn:${local.partition}:iam::${local.account}:oidc-provider/${local.issuer}"]
  }

  statement {
    sid       = "ReadImageParameter"
    actions   = ["ssm:GetParameter"]
    resources = ["arn:${local.partition}:ssm:${local.region}:*:parameter/aws/service/ami-amazon-linux-latest/*"]
  }

  dynamic "statement" {
    for_each = var.state_bucket_name == null ? [] : [var.state_bucket_name]
    content {
      sid       = "ListState"
      actions   = ["s3:ListBucket"]
      resources = ["arn:${local.partition}:s3:::${statement.value}"]

      condition {
        test     = "StringLike"
        variable = "s3:prefix"
        # The second is where `terraform init` looks for workspaces, whether there are any or not.
        values = ["${var.state_key_prefix}/*", "env:/"]
      }
    }
  }

  dynamic "statement" {
    for_each = var.state_bucket_name == null ? [] : [var.state_bucket_name]
    content {
      sid       = "ReadState"
      actions   = ["s3:GetObject"]
      resources = ["arn:${local.partition}:s3:::${statement.value}/${var.state_key_prefix}/*"]
    }
  }

  dynamic "statement" {
    for_each = var.state_kms_key_arn == null ? [] : [var.state_kms_key_arn]
    content {
      sid       = "DecryptState"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]
    }
  }

  dynamic "statement" {
    for_each = var.kms_key_enabled ? [1] : []
    content {
      sid       = "ReadKey"
      actions   = ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags"]
      resources = [var.kms_key_arn]
    }
  }
}

data "aws_iam_policy_document" "test" {
  statement {
    sid       = "CallApi"
    actions   = ["execute-api:Invoke"]
    resources = ["arn:${local.partition}:execute-api:${local.region}:${local.account}:${var.rest_api_id}/*"]
  }
}

# EC2 draws its identifiers, so the tag Project is the fence: new things must carry it, old things must have it.
data "aws_iam_policy_document" "network" {
  #checkov:skip=CKV_AWS_111:each statement is fenced by the tag Project
  #checkov:skip=CKV_AWS_356:as above
  #checkov:skip=CKV_AWS_109:as above
  statement {
    sid = "CreateTagged"
    actions = [
      "ec2:AllocateAddress", "ec2:CreateFlowLogs", "ec2:CreateInternetGateway", "ec2:CreateNatGateway", "ec2:CreateRouteTable",
      "ec2:CreateSecurityGroup", "ec2:CreateSubnet", "ec2:CreateVpc", "ec2:CreateVpcEndpoint", "ec2:RunInstances",
      "ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress",
    ]
    resources = ["arn:${local.partition}:ec2:${local.region}:${local.account}:*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/Project"
      values   = [var.project_tag]
    }
  }

  statement {
    sid = "ChangeOwn"
    actions = [
      "ec2:AssociateRouteTable", "ec2:AttachInternetGateway", "ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress",
      "ec2:CreateFlowLogs", "ec2:CreateNatGateway", "ec2:CreateRoute", "ec2:CreateRouteTable", "ec2:CreateSecurityGroup", "ec2:CreateSubnet",
      "ec2:CreateVpcEndpoint", "ec2:DeleteFlowLogs", "ec2:DeleteInternetGateway", "ec2:DeleteNatGateway", "ec2:DeleteRoute",
      "ec2:DeleteRouteTable", "ec2:DeleteSecurityGroup", "ec2:DeleteSubnet", "ec2:DeleteVpc", "ec2:DeleteVpcEndpoints",
      "ec2:DetachInternetGateway", "ec2:DisassociateAddress", "ec2:DisassociateRouteTable", "ec2:ModifyInstanceAttribute",
      "ec2:ModifyInstanceMetadataOptions", "ec2:ModifySecurityGroupRules", "ec2:ModifySubnetAttribute", "ec2:ModifyVpcAttribute",
      "ec2:ModifyVpcEndpoint", "ec2:ReleaseAddress", "ec2:ReplaceRoute", "ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress",
      "ec2:RunInstances", "ec2:StartInstances", "ec2:StopInstances", "ec2:TerminateInstances", "ec2:UpdateSecurityGroupRuleDescriptionsEgress",
      "ec2:UpdateSecurityGroupRuleDescriptionsIngress", "ec2:CreateTags", "ec2:DeleteTags", "ec2:MonitorInstances", "ec2:UnmonitorInstances",
    ]
    resources = ["arn:${local.partition}:ec2:${local.region}:${local.account}:*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/Project"
      values   = [var.project_tag]
    }
  }

  # Instances come with an interface that cannot be tagged in the request, from an image that belongs to Amazon.
  statement {
    sid       = "RunInstancesParts"
    actions   = ["ec2:RunInstances"]
    resources = ["arn:${local.partition}:ec2:${local.region}::image/*", "arn:${local.partition}:ec2:${local.region}:${local.account}:network-interface/*"]
  }

  statement {
    sid       = "TagWhatIsBeingCreated"
    actions   = ["ec2:CreateTags"]
    resources = ["arn:${local.partition}:ec2:${local.region}:${local.account}:*/*"]

    condition {
      test     = "StringEquals"
      variable = "ec2:CreateAction"
      values = [
        "AllocateAddress", "AuthorizeSecurityGroupEgress", "AuthorizeSecurityGroupIngress", "CreateFlowLogs", "CreateInternetGateway",
        "CreateNatGateway", "CreateRouteTable", "CreateSecurityGroup", "CreateSubnet", "CreateVpc", "CreateVpcEndpoint", "RunInstances",
      ]
    }
  }
}

data "aws_iam_policy_document" "services" {
  #checkov:skip=CKV_AWS_111:the resources of the last two statements are drawn by AWS; see the reason there
  #checkov:skip=CKV_AWS_356:as above
  #checkov:skip=CKV_AWS_109:resource policies are changed on functions and topics of this project only
  statement {
    sid = "Database"
    actions = [
      "rds:AddTagsToResource", "rds:CreateDBCluster", "rds:CreateDBClusterParameterGroup", "rds:CreateDBClusterSnapshot", "rds:CreateDBInstance",
      "rds:CreateDBSubnetGroup", "rds:DeleteDBCluster", "rds:DeleteDBClusterParameterGroup", "rds:DeleteDBInstance", "rds:DeleteDBSubnetGroup",
      "rds:DeregisterDBProxyTargets", "rds:ModifyDBCluster", "rds:ModifyDBClusterParameterGroup", "rds:ModifyDBInstance", "rds:ModifyDBSubnetGroup",
      "rds:RebootDBInstance", "rds:RegisterDBProxyTargets", "rds:RemoveTagsFromResource", "rds:ResetDBClusterParameterGroup",
    ]
    # ... and the groups that Amazon brings, which a new cluster or instance takes where it is given none.
    resources = concat(
      [for kind in ["cluster", "cluster-pg", "cluster-snapshot", "db", "subgrp"] : "arn:${local.partition}:rds:${local.region}:${local.account}:${kind}:${var.name}*"],
      [for kind in ["og", "pg"] : "arn:${local.partition}:rds:${local.region}:${local.account}:${kind}:default*"],
    )
  }

  statement {
    sid       = "Proxy"
    actions   = ["rds:AddTagsToResource", "rds:DeleteDBProxy", "rds:DeregisterDBProxyTargets", "rds:ModifyDBProxy", "rds:ModifyDBProxyTargetGroup", "rds:RegisterDBProxyTargets", "rds:RemoveTagsFromResource"]
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
    sid       = "MasterSecretRotation"
    actions   = ["secretsmanager:CancelRotateSecret", "secretsmanager:CreateSecret", "secretsmanager:TagResource", "secretsmanager:RotateSecret"]
    resources = ["arn:${local.partition}:secretsmanager:${local.region}:${local.account}:secret:rds!cluster-*"]
  }

  statement {
    sid = "OwnByName"
    actions = [
      "lambda:AddPermission", "lambda:CreateAlias", "lambda:CreateFunction", "lambda:DeleteAlias", "lambda:DeleteFunction",
      "lambda:DeleteFunctionConcurrency", "lambda:DeleteProvisionedConcurrencyConfig", "lambda:PublishVersion", "lambda:PutFunctionConcurrency",
      "lambda:PutProvisionedConcurrencyConfig", "lambda:RemovePermission", "lambda:TagResource", "lambda:UntagResource", "lambda:UpdateAlias",
      "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration",
      "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource", "logs:AssociateKmsKey",
      "cloudwatch:DeleteAlarms", "cloudwatch:DeleteDashboards", "cloudwatch:PutDashboard", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource", "cloudwatch:UntagResource",
      "sns:CreateTopic", "sns:DeleteTopic", "sns:SetTopicAttributes", "sns:Subscribe", "sns:TagResource", "sns:UntagResource",
      "codedeploy:CreateApplication", "codedeploy:CreateDeployment", "codedeploy:CreateDeploymentGroup", "codedeploy:DeleteApplication",
      "codedeploy:DeleteDeploymentGroup", "codedeploy:GetDeployment", "codedeploy:RegisterApplicationRevision", "codedeploy:GetApplicationRevision",
      "codedeploy:TagResource", "codedeploy:UntagResource", "codedeploy:UpdateDeploymentGroup",
      "wafv2:CreateWebACL", "wafv2:DeleteLoggingConfiguration", "wafv2:DeleteWebACL", "wafv2:PutLoggingConfiguration", "wafv2:TagResource",
      "wafv2:UntagResource", "wafv2:UpdateWebACL", "wafv2:AssociateWebACL", "wafv2:DisassociateWebACL",
      "backup:CreateBackupVault", "backup:DeleteBackupVault", "backup:DeleteBackupVaultLockConfiguration", "backup:PutBackupVaultLockConfiguration",
      "backup:TagResource", "backup:UntagResource",
    ]
    resources = [
      "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.name}-*",
      "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:*${var.name}*",
      "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:API-Gateway-Execution-Logs_${var.rest_api_id}/*",
      "arn:${local.partition}:cloudwatch:${local.region}:${local.account}:alarm:${var.name}-*",
      "arn:${local.partition}:cloudwatch::${local.account}:dashboard/${var.name}*",
      "arn:${local.partition}:sns:${local.region}:${local.account}:${var.name}-*",
      "arn:${local.partition}:codedeploy:${local.region}:${local.account}:application:${var.name}",
      "arn:${local.partition}:codedeploy:${local.region}:${local.account}:deploymentgroup:${var.name}/${var.name}-*",
      "arn:${local.partition}:wafv2:${local.region}:${local.account}:regional/webacl/${var.name}/*",
      "arn:${local.partition}:apigateway:${local.region}::/restapis/${var.rest_api_id}/stages/*",
      "arn:${local.partition}:backup:${local.region}:${local.account}:backup-vault:${var.name}",
    ]
  }

  statement {
    sid     = "Api"
    actions = ["apigateway:DELETE", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT", "apigateway:SetWebACL"]
    resources = [
      "arn:${local.partition}:apigateway:${local.region}::/restapis/${var.rest_api_id}",
      "arn:${local.partition}:apigateway:${local.region}::/restapis/${var.rest_api_id}/*",
      "arn:${local.partition}:apigateway:${local.region}::/tags/arn%3A${local.partition}%3Aapigateway%3A${local.region}%3A%3A%2Frestapis%2F${var.rest_api_id}*",
    ]
  }

  dynamic "statement" {
    for_each = var.state_bucket_name == null ? [] : [var.state_bucket_name]
    content {
      sid       = "WriteState"
      actions   = ["s3:PutObject", "s3:DeleteObject"]
      resources = ["arn:${local.partition}:s3:::${statement.value}/${var.state_key_prefix}/*"]
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
    for_each = var.kms_key_enabled ? [1] : []
    content {
      sid       = "UseKey"
      actions   = ["kms:CreateGrant", "kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"]
      resources = [var.kms_key_arn]
    }
  }

  # Log delivery, saved queries and subscriptions know no resources.
  statement {
    sid = "LogDeliveryQueriesSubscriptions"
    actions = [
      "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:UpdateLogDelivery",
      "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:PutQueryDefinition", "logs:DeleteQueryDefinition",
      "sns:Unsubscribe",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "TraceGroups"
    actions   = ["xray:CreateGroup", "xray:CreateSamplingRule", "xray:DeleteGroup", "xray:DeleteSamplingRule", "xray:TagResource", "xray:UntagResource", "xray:UpdateGroup", "xray:UpdateSamplingRule"]
    resources = ["arn:${local.partition}:xray:${local.region}:${local.account}:group/${var.name}/*", "arn:${local.partition}:xray:${local.region}:${local.account}:sampling-rule/${var.name}"]
  }
}

# CI may make roles, but only inside the boundary, only with this project's names, and never for itself.
data "aws_iam_policy_document" "iam" {
  #checkov:skip=CKV_AWS_356:the one statement on every resource is a denial
  #checkov:skip=CKV_AWS_109:every grant demands the permissions boundary
  #checkov:skip=CKV2_AWS_40:the one wildcard is a denial
  statement {
    sid       = "WriteRolesInsideTheBoundary"
    actions   = ["iam:CreateRole", "iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:PutRolePermissionsBoundary"]
    resources = ["arn:${local.partition}:iam::${local.account}:role/${var.name}-*"]

    condition {
      test     = "StringEquals"
      variable = "iam:PermissionsBoundary"
      values   = [local.boundary_arn]
    }
  }

  statement {
    sid       = "AttachKnownPoliciesInsideTheBoundary"
    actions   = ["iam:AttachRolePolicy", "iam:DetachRolePolicy"]
    resources = ["arn:${local.partition}:iam::${local.account}:role/${var.name}-*"]

    condition {
      test     = "StringEquals"
      variable = "iam:PermissionsBoundary"
      values   = [local.boundary_arn]
    }

    condition {
      test     = "ArnEquals"
      variable = "iam:PolicyARN"
      values = [
        "arn:${local.partition}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs",
        "arn:${local.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole",
        "arn:${local.partition}:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup",
      ]
    }
  }

  statement {
    sid       = "KeepRoles"
    actions   = ["iam:DeleteRole", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription"]
    resources = ["arn:${local.partition}:iam::${local.account}:role/${var.name}-*"]
  }

  statement {
    sid       = "InstanceProfiles"
    actions   = ["iam:AddRoleToInstanceProfile", "iam:CreateInstanceProfile", "iam:DeleteInstanceProfile", "iam:RemoveRoleFromInstanceProfile", "iam:TagInstanceProfile", "iam:UntagInstanceProfile"]
    resources = ["arn:${local.partition}:iam::${local.account}:instance-profile/${var.name}-*"]
  }

  statement {
    sid       = "PassRolesToTheirServices"
    actions   = ["iam:PassRole"]
    resources = ["arn:${local.partition}:iam::${local.account}:role/${var.name}-*"]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values = [
        "apigateway.amazonaws.com", "backup.amazonaws.com", "codedeploy.amazonaws.com", "ec2.amazonaws.com", "lambda.amazonaws.com",
        "monitoring.rds.amazonaws.com", "rds.amazonaws.com", "vpc-flow-logs.amazonaws.com",
      ]
    }
  }

  # By their endings, so that the CI roles of environments whose names begin alike (dev, dev-2) are out of reach, too.
  statement {
    sid    = "NeverItself"
    effect = "Deny"
    actions = [
      "iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:PassRole",
      "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole",
    ]
    resources = [for role in ["github-actions", "ci-tester"] : "arn:${local.partition}:iam::${local.account}:role/*-${role}"]
  }

  statement {
    sid    = "NeverTheFence"
    effect = "Deny"
    actions = [
      "iam:CreatePolicyVersion", "iam:DeletePolicy", "iam:DeletePolicyVersion", "iam:SetDefaultPolicyVersion",
      "iam:AddClientIDToOpenIDConnectProvider", "iam:CreateOpenIDConnectProvider", "iam:DeleteOpenIDConnectProvider",
      "iam:DeleteRolePermissionsBoundary", "iam:UpdateOpenIDConnectProviderThumbprint",
    ]
    resources = ["*"]
  }
}
