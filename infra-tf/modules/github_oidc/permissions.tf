# What a plan reads. Nothing here reads a secret, a database row or an object outside the state folder.
data "aws_iam_policy_document" "read" {
  #checkov:skip=CKV_AWS_356:the describe and list actions of these services know no resources
  statement {
    sid = "Describe"
    actions = [
      "ec2:Describe*", "rds:Describe*", "rds:ListTagsForResource", "kms:ListAliases",
      "logs:DescribeLogGroups", "logs:DescribeQueryDefinitions", "logs:ListTagsForResource",
      "cloudwatch:DescribeAlarms", "cloudwatch:GetDashboard", "cloudwatch:ListTagsForResource",
      "xray:GetGroup", "xray:GetSamplingRules", "xray:ListTagsForResource",
      "sns:GetSubscriptionAttributes",
    ]
    resources = ["*"]
  }

  statement {
    sid = "ReadOwn"
    actions = [
      "lambda:GetAlias", "lambda:GetFunction", "lambda:GetFunctionCodeSigningConfig", "lambda:GetFunctionConfiguration", "lambda:GetPolicy",
      "lambda:GetProvisionedConcurrencyConfig", "lambda:ListTags", "lambda:ListVersionsByFunction",
      "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic", "sns:ListTagsForResource",
      "codedeploy:GetApplication", "codedeploy:GetDeploymentGroup", "codedeploy:ListTagsForResource",
      "backup:DescribeBackupVault", "backup:ListTags",
      "wafv2:GetLoggingConfiguration", "wafv2:GetWebACL", "wafv2:ListTagsForResource",
    ]
    resources = concat(local.function_arns, local.codedeploy_arns, [local.topic_arn, local.vault_arn, local.web_acl_arn])
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
      local.api_arn,
      "${local.api_arn}/*",
      "arn:${local.partition}:apigateway:${local.region}::/account",
      "arn:${local.partition}:apigateway:${local.region}::/tags/arn%3A${local.partition}%3Aapigateway%3A${local.region}%3A%3A%2Frestapis%2F${var.rest_api_id}*",
    ]
  }

  statement {
    sid       = "ReadWebAclOfTheStage"
    actions   = ["wafv2:GetWebACLForResource"]
    resources = ["${local.api_arn}/stages/*", local.web_acl_arn]
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
        values = [local.state_key, "env:/"]
      }
    }
  }

  dynamic "statement" {
    for_each = var.state_bucket_name == null ? [] : [var.state_bucket_name]
    content {
      sid       = "ReadState"
      actions   = ["s3:GetObject"]
      resources = ["arn:${local.partition}:s3:::${statement.value}/${local.state_key}"]
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

  # Decrypt, because Lambda leaves the variables of a function out for those who may not: a plan would want to set them.
  dynamic "statement" {
    for_each = var.kms_key_enabled ? [1] : []
    content {
      sid       = "ReadKey"
      actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags"]
      resources = [var.kms_key_arn]
    }
  }
}

# Both roles have this, too: the rest of what a plan reads, apart because of the size, and calling the API.
data "aws_iam_policy_document" "test" {
  statement {
    sid = "ReadRolesAndPolicies"
    actions = [
      "iam:GetInstanceProfile", "iam:GetPolicy", "iam:GetPolicyVersion", "iam:GetRole", "iam:GetRolePolicy",
      "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListPolicyVersions", "iam:ListRolePolicies",
    ]
    resources = concat(local.workload_role_arns, local.ci_role_arns, local.policy_arns, [local.instance_profile_arn])
  }

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
      "ec2:CreateSecurityGroup", "ec2:CreateSubnet", "ec2:CreateVpcEndpoint", "ec2:RunInstances",
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
      "ec2:RunInstances", "ec2:StartInstances", "ec2:StopInstances", "ec2:TerminateInstances",
      "ec2:CreateTags", "ec2:DeleteTags", "ec2:MonitorInstances",
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
        "CreateNatGateway", "CreateRouteTable", "CreateSecurityGroup", "CreateSubnet", "CreateVpcEndpoint", "RunInstances",
      ]
    }
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
    resources = local.workload_role_arns

    condition {
      test     = "StringEquals"
      variable = "iam:PermissionsBoundary"
      values   = [local.boundary_arn]
    }
  }

  statement {
    sid       = "AttachKnownPoliciesInsideTheBoundary"
    actions   = ["iam:AttachRolePolicy", "iam:DetachRolePolicy"]
    resources = local.workload_role_arns

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
    resources = local.workload_role_arns
  }

  statement {
    sid       = "InstanceProfiles"
    actions   = ["iam:AddRoleToInstanceProfile", "iam:CreateInstanceProfile", "iam:DeleteInstanceProfile", "iam:RemoveRoleFromInstanceProfile", "iam:TagInstanceProfile", "iam:UntagInstanceProfile"]
    resources = [local.instance_profile_arn]
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

# Handing roles over, and the tags of what CI may not touch otherwise; apart, because of the size.
data "aws_iam_policy_document" "pass" {
  statement {
    sid       = "PassRolesToTheirServices"
    actions   = ["iam:PassRole"]
    resources = local.workload_role_arns

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values = [
        "apigateway.amazonaws.com", "backup.amazonaws.com", "codedeploy.amazonaws.com", "ec2.amazonaws.com", "lambda.amazonaws.com",
        "monitoring.rds.amazonaws.com", "rds.amazonaws.com", "vpc-flow-logs.amazonaws.com",
      ]
    }
  }

  # Default tags are on the fence, too; nothing here is decided by the tags of a role or a policy.
  statement {
    sid = "TagTheFence"
    actions = concat(
      ["iam:TagPolicy", "iam:TagRole", "iam:UntagPolicy", "iam:UntagRole"],
      var.create_oidc_provider ? ["iam:TagOpenIDConnectProvider", "iam:UntagOpenIDConnectProvider"] : [],
    )
    resources = concat(local.ci_role_arns, local.policy_arns, var.create_oidc_provider ? [local.provider_arn] : [])
  }
}
