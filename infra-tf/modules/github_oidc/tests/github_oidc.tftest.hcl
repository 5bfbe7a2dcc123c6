mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { region = "eu-west-1" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::123456789012:policy/test" }
  }
  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
  }
}

variables {
  name              = "test"
  github_repository = "someone/postgres-as-app"
  project_tag       = "test"
  rest_api_id       = "abc"
  state_bucket_name = "test-state"
}

run "only_the_protected_environment_deploys" {
  command = apply

  assert {
    condition     = contains(flatten([for condition in data.aws_iam_policy_document.deploy_trust.statement[0].condition : condition.values]), "repo:someone/postgres-as-app:environment:production")
    error_message = "the deploying role must trust the jobs of the environment"
  }
  assert {
    condition     = toset(flatten([for condition in data.aws_iam_policy_document.deploy_trust.statement[0].condition : condition.values])) == toset(["sts.amazonaws.com", "repo:someone/postgres-as-app:environment:production", "refs/heads/main"])
    error_message = "the deploying role must trust nothing but that audience and subject, on that branch"
  }
  assert {
    condition     = alltrue(flatten([for document in [data.aws_iam_policy_document.deploy_trust, data.aws_iam_policy_document.test_trust] : [for condition in document.statement[0].condition : condition.test == "StringEquals" && !anytrue([for value in condition.values : strcontains(value, "*")])]]))
    error_message = "trust must be exact"
  }
  assert {
    condition     = aws_iam_role.deploy.name == "test-github-actions" && aws_iam_role.test.name == "test-ci-tester"
    error_message = "the roles must have their documented names"
  }

  # The pipeline verifies after an apply, also an API that wants signed requests.
  assert {
    condition     = contains([for attachment in aws_iam_role_policy_attachment.ci : attachment.policy_arn if attachment.role == "test-github-actions"], aws_iam_policy.ci["test"].arn)
    error_message = "the deploying role must be able to call the API"
  }
}

run "no_way_to_escalate" {
  command = apply

  assert {
    condition = alltrue([for statement in data.aws_iam_policy_document.iam.statement :
      anytrue([for condition in coalesce(statement.condition, []) : condition.variable == "iam:PermissionsBoundary" && contains(condition.values, "arn:aws:iam::123456789012:policy/test-workload-boundary")])
    if statement.effect != "Deny" && length(setintersection(statement.actions, ["iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PutRolePermissionsBoundary"])) > 0])
    error_message = "whatever widens a role must demand the boundary"
  }
  assert {
    condition     = alltrue([for statement in data.aws_iam_policy_document.iam.statement : !contains(statement.resources, "*") if statement.effect != "Deny"])
    error_message = "no IAM grant may be on every resource"
  }
  assert {
    condition = anytrue([for statement in data.aws_iam_policy_document.iam.statement :
      statement.effect == "Deny" && toset(statement.resources) == toset(["arn:aws:iam::123456789012:role/*-github-actions", "arn:aws:iam::123456789012:role/*-ci-tester"]) && length(setsubtract(["iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PassRole", "iam:UpdateAssumeRolePolicy"], statement.actions)) == 0
    if statement.effect == "Deny"])
    error_message = "the deploying role must not change or pass itself, nor a CI role of another environment"
  }
  assert {
    condition     = anytrue([for statement in data.aws_iam_policy_document.iam.statement : length(setsubtract(["iam:DeleteRolePermissionsBoundary", "iam:CreatePolicyVersion"], statement.actions)) == 0 if statement.effect == "Deny"])
    error_message = "the boundary must not be removed or rewritten"
  }
  assert {
    condition     = !anytrue(flatten([for document in [data.aws_iam_policy_document.read, data.aws_iam_policy_document.network, data.aws_iam_policy_document.data, data.aws_iam_policy_document.edge, data.aws_iam_policy_document.functions, data.aws_iam_policy_document.watch, data.aws_iam_policy_document.iam, data.aws_iam_policy_document.pass, data.aws_iam_policy_document.test, data.aws_iam_policy_document.boundary] : [for statement in document.statement : [for action in statement.actions : endswith(action, ":*") || action == "*"]]]))
    error_message = "no policy may grant a whole service"
  }
  assert {
    condition     = !anytrue(flatten([for statement in data.aws_iam_policy_document.boundary.statement : [for action in statement.actions : startswith(action, "iam:") || startswith(action, "sts:")]]))
    error_message = "the boundary must not reach IAM or STS"
  }
}

run "pull_requests_read_no_secret_and_write_nothing" {
  command = apply

  assert {
    condition     = !anytrue(flatten([for statement in data.aws_iam_policy_document.read.statement : [for action in statement.actions : can(regex("(GetSecretValue|:Put|:Create|:Delete|:Update|:Modify|:Attach)", action))]]))
    error_message = "the reading policy must only read, and no secret"
  }
  assert {
    condition     = toset([for key, attachment in aws_iam_role_policy_attachment.ci : key if attachment.role == "test-ci-tester"]) == toset(["test-read", "test-test"])
    error_message = "the testing role must have the reading and the testing policy, no other"
  }
}

# An environment's name can begin like another's: dev, dev-2.
run "no_pattern_reaches_another_environment" {
  command = apply

  assert {
    condition = !anytrue(flatten([
      for document in [data.aws_iam_policy_document.read, data.aws_iam_policy_document.network, data.aws_iam_policy_document.data, data.aws_iam_policy_document.edge, data.aws_iam_policy_document.functions, data.aws_iam_policy_document.watch, data.aws_iam_policy_document.iam, data.aws_iam_policy_document.pass, data.aws_iam_policy_document.test] :
      [for statement in document.statement : [for resource in statement.resources : can(regex("(test\\*|test-\\*|\\*test)", resource))]]
    ]))
    error_message = "a name must be written out, or end before the star"
  }
  assert {
    condition     = alltrue([for statement in data.aws_iam_policy_document.data.statement : alltrue([for resource in statement.resources : startswith(resource, "arn:aws:s3:::test-state/infra-tf/dev/terraform.tfstate")]) if contains(["WriteState", "LockState"], coalesce(statement.sid, "-"))])
    error_message = "only this environment's state may be written"
  }
}

run "a_role_made_by_ci_stays_with_the_project" {
  command = apply

  assert {
    condition     = alltrue(flatten([for statement in data.aws_iam_policy_document.boundary.statement : [for resource in statement.resources : resource == "arn:aws:rds-db:eu-west-1:123456789012:dbuser:*/lambda_iam"] if contains(statement.actions, "rds-db:connect")]))
    error_message = "the boundary must admit the functions' database user only"
  }
  assert {
    condition     = !anytrue([for statement in data.aws_iam_policy_document.boundary.statement : length(setintersection(statement.actions, ["kms:Decrypt", "logs:GetLogEvents", "rds:DeleteDBClusterSnapshot"])) > 0 && contains(statement.resources, "*")])
    error_message = "keys, logs and snapshots of others must be out of reach"
  }
}

run "immutable_subjects" {
  command = apply
  variables {
    github_owner_id      = "123"
    github_repository_id = "456"
  }

  assert {
    condition     = contains(flatten([for condition in data.aws_iam_policy_document.deploy_trust.statement[0].condition : condition.values]), "repo:someone@123/postgres-as-app@456:environment:production") && contains(flatten([for condition in data.aws_iam_policy_document.test_trust.statement[0].condition : condition.values]), "repo:someone@123/postgres-as-app@456:pull_request")
    error_message = "with the numbers, only the subject that has them may be trusted"
  }
}

run "rejects_half_of_an_immutable_subject" {
  command = plan
  variables { github_owner_id = "123" }
  expect_failures = [var.github_owner_id]
}

run "rejects_wildcards_in_the_numbers" {
  command = plan
  variables {
    github_owner_id      = "*"
    github_repository_id = "456"
  }
  expect_failures = [var.github_owner_id]
}

run "a_policy_that_iam_would_not_take_stops_the_plan" {
  command = plan

  override_data {
    target = data.aws_iam_policy_document.data
    values = { json = "{\"Statement\":[\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"]}" }
  }
  expect_failures = [aws_iam_policy.ci]
}

run "provider_of_the_account_is_reused" {
  command = plan
  variables { create_oidc_provider = false }

  assert {
    condition     = length(aws_iam_openid_connect_provider.this) == 0 && output.oidc_provider_arn == "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
    error_message = "an existing provider must be taken, not made"
  }
}

run "rejects_wildcards_in_the_repository" {
  command = plan
  variables { github_repository = "someone/*" }
  expect_failures = [var.github_repository]
}

run "rejects_wildcards_in_the_environment" {
  command = plan
  variables { github_environment = "*" }
  expect_failures = [var.github_environment]
}

run "rejects_wildcards_in_the_branch" {
  command = plan
  variables { github_branch = "*" }
  expect_failures = [var.github_branch]
}

run "rejects_wildcards_in_the_tag" {
  command = plan
  variables { project_tag = "*" }
  expect_failures = [var.project_tag]
}

run "rejects_bucket_names_that_are_none" {
  command = plan
  variables { state_bucket_name = "No Bucket" }
  expect_failures = [var.state_bucket_name]
}

run "rejects_wildcards_in_the_state_folder" {
  command = plan
  variables { state_key_prefix = "*" }
  expect_failures = [var.state_key_prefix]
}
