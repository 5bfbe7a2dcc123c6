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

  # GitHub writes the numbers of owner and repository behind their names once the repository has immutable subjects.
  # Only the one form in use is trusted: a name alone can be taken over by somebody else.
  github_names = split("/", var.github_repository)
  subject      = var.github_owner_id == null ? "repo:${var.github_repository}" : "repo:${local.github_names[0]}@${var.github_owner_id}/${local.github_names[1]}@${var.github_repository_id}"
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
      values   = ["${local.subject}:environment:${var.github_environment}"]
    }

    # An environment of GitHub that is open to every branch would let any of them deploy.
    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:ref"
      values   = ["refs/heads/${var.github_branch}"]
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
        "${local.subject}:pull_request",
        "${local.subject}:ref:refs/heads/${var.github_branch}",
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
    data      = data.aws_iam_policy_document.data.json
    edge      = data.aws_iam_policy_document.edge.json
    functions = data.aws_iam_policy_document.functions.json
    iam       = data.aws_iam_policy_document.iam.json
    network   = data.aws_iam_policy_document.network.json
    pass      = data.aws_iam_policy_document.pass.json
    read      = data.aws_iam_policy_document.read.json
    test      = data.aws_iam_policy_document.test.json
    watch     = data.aws_iam_policy_document.watch.json
  }
  attachments = merge(
    { for policy in local.policy_names : "deploy-${policy}" => { role = local.deploy_role_name, policy = policy } },
    { for policy in ["read", "test"] : "test-${policy}" => { role = local.test_role_name, policy = policy } },
  )

  # IAM counts characters without white space.
  policy_sizes = { for name, policy in local.policies : name => length(jsonencode(jsondecode(policy))) }
}

resource "aws_iam_policy" "ci" {
  for_each = toset(local.policy_names)

  name        = "${var.name}-ci-${each.key}"
  description = "CI of ${var.name}: ${each.key}"
  policy      = local.policies[each.key]

  tags = var.tags

  lifecycle {
    precondition {
      condition     = local.policy_sizes[each.key] <= 6144
      error_message = "The policy ${each.key} has ${local.policy_sizes[each.key]} characters, and IAM takes 6144: move a statement into another policy."
    }
  }
}

resource "aws_iam_role_policy_attachment" "ci" {
  for_each = local.attachments

  role       = each.value.role
  policy_arn = aws_iam_policy.ci[each.value.policy].arn

  depends_on = [aws_iam_role.deploy, aws_iam_role.test]
}
