output "oidc_provider_arn" {
  description = "ARN of the OIDC provider of GitHub."
  value       = local.provider_arn
}

output "deploy_role_arn" {
  description = "ARN of the role that applies."
  value       = aws_iam_role.deploy.arn
}

output "test_role_arn" {
  description = "ARN of the role that plans and tests."
  value       = aws_iam_role.test.arn
}

output "permissions_boundary_arn" {
  description = "ARN of the boundary that every workload role must have."
  value       = aws_iam_policy.boundary.arn
}
