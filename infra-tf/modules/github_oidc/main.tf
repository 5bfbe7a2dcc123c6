data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.region
  account   = data.aws_caller_identity.current.account_id

  issuer       = "token.actions.githubusercontent.com"
  provider_arn = var.create_oidc_provider ? aws_iam_openid_connect_provider.this[0].arn : "arn:${local.partition}:iam::${local.account}:oidc-provider/${local.issuer}"

  deploy_role_name = "${var.name}-github-actions"
  test_role_name   = "${var.name}-ci-tester"
  boundary_name    = "${var.name}-workload-boundary"
  boundary_arn     = "arn:${local.partition}:iam::${local.account}:policy/${local.boundary_name}"
}

# AWS checks GitHub's certificate itself, so no thumbprint is pinned that would have to be kept up.
resource "aws_iam_openid_connect_provider" "this" {
  count = var.create_oidc_provider ? 1 : 0

  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]

  tags = var.tags
}

data "aws_iam_policy_document" "deploy_trust" {
  statement {
    sid     = "JobsOfTheProtectedEnvironment"
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [local.provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:sub"
      values   = ["repo:${var.github_repository}:environment:${var.github_environment}"]
    }
  }
}

data "aws_iam_policy_document" "test_trust" {
  statement {
    sid     = "PullRequestsAndTheMainBranch"
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [local.provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:sub"
      values = [
        "repo:${var.github_repository}:pull_request",
        "repo:${var.github_repository}:ref:refs/heads/${var.github_branch}",
      ]
    }
  }
}

resource "aws_iam_role" "deploy" {
  name                 = local.deploy_role_name
  description          = "Applies the Terraform of ${var.name} from GitHub Actions"
  assume_role_policy   = data.aws_iam_policy_document.deploy_trust.json
  max_session_duration = 3600

  tags = var.tags
}

resource "aws_iam_role" "test" {
  name                 = local.test_role_name
  description          = "Plans the Terraform of ${var.name} and calls its API; changes nothing"
  assume_role_policy   = data.aws_iam_policy_document.test_trust.json
  max_session_duration = 3600

  tags = var.tags
}

locals {
  # Both roles read what a plan reads and call the API as verify does, also where it wants signed requests;
  # only one of them writes.
  policies = {
    read     = data.aws_iam_policy_document.read.json
    network  = data.aws_iam_policy_document.network.json
    services = data.aws_iam_policy_document.services.json
    iam      = data.aws_iam_policy_document.iam.json
    test     = data.aws_iam_policy_document.test.json
  }
  attachments = {
    deploy-read     = { role = local.deploy_role_name, policy = "read" }
    deploy-network  = { role = local.deploy_role_name, policy = "network" }
    deploy-services = { role = local.deploy_role_name, policy = "services" }
    deploy-iam      = { role = local.deploy_role_name, policy = "iam" }
    deploy-test     = { role = local.deploy_role_name, policy = "test" }
    test-read       = { role = local.test_role_name, policy = "read" }
    test-test       = { role = local.test_role_name, policy = "test" }
  }
}

resource "aws_iam_policy" "ci" {
  for_each = local.policies

  name        = "${var.name}-ci-${each.key}"
  description = "CI of ${var.name}: ${each.key}"
  policy      = each.value

  tags = var.tags
}

resource "aws_iam_role_policy_attachment" "ci" {
  for_each = local.attachments

  role       = each.value.role
  policy_arn = aws_iam_policy.ci[each.value.policy].arn

  depends_on = [aws_iam_role.deploy, aws_iam_role.test]
}
