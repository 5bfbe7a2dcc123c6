output "api_gateway_invoke_url" {
  description = "Address of the API; append /animals."
  value       = module.api_gateway.invoke_url
}

output "lambda_function_names" {
  description = "Full names of the functions by their short names."
  value       = module.lambda.function_names
}

output "database_endpoint" {
  description = "Writer endpoint of the cluster."
  value       = module.database.endpoint
}

output "database_reader_endpoint" {
  description = "Reader endpoint of the cluster."
  value       = module.database.reader_endpoint
}

output "database_proxy_endpoint" {
  description = "Endpoint of the proxy; null without one."
  value       = module.database.proxy_endpoint
}

output "database_port" {
  description = "Port of the cluster."
  value       = module.database.port
}

output "database_name" {
  description = "Name of the database."
  value       = module.database.database_name
}

output "database_credentials_secret_arn" {
  description = "Secret with the master user's name and password."
  value       = module.database.master_secret_arn
}

output "database_master_username" {
  description = "Name of the master user."
  value       = module.database.master_username
}

output "database_iam_token_username" {
  description = "Database user that logs in with an IAM token."
  value       = module.database.iam_username
}

output "state_bucket_name" {
  description = "Bucket of the Terraform state; null where none was named."
  value       = var.state_bucket_name
}

output "state_key" {
  description = "Name of this environment's state in that bucket."
  value       = "${local.state_key_prefix}/terraform.tfstate"
}

output "github_actions_role_arn" {
  description = "ARN of the role that applies from GitHub Actions; null without github_repository."
  value       = one(module.github_oidc[*].deploy_role_arn)
}

output "github_oidc_provider_arn" {
  description = "ARN of the OIDC provider of GitHub; null without github_repository."
  value       = one(module.github_oidc[*].oidc_provider_arn)
}

output "ci_tester_role_arn" {
  description = "ARN of the role that plans and tests from GitHub Actions; null without github_repository."
  value       = one(module.github_oidc[*].test_role_arn)
}

output "ec2_instance_id" {
  description = "Id of the bastion; null without one."
  value       = one(module.bastion[*].instance_id)
}

output "ec2_iam_role_arn" {
  description = "ARN of the role of the bastion; null without one."
  value       = one(module.bastion[*].role_arn)
}

output "lambda_role_arn" {
  description = "ARN of the role of the functions."
  value       = module.lambda.role_arn
}

output "codedeploy_deployments" {
  description = "What CodeDeploy has to deploy after an apply; empty with all_at_once."
  value       = module.lambda.codedeploy_deployments
}

output "verify_after_deployment" {
  description = "Whether the pipeline tests the deployed API after each apply."
  value       = var.verify_after_deployment
}

output "dashboard_name" {
  description = "Name of the CloudWatch dashboard; null without one."
  value       = module.observability.dashboard_name
}

output "alarm_topic_arn" {
  description = "Topic that alarms are sent to; null without alarms."
  value       = module.observability.alarm_topic_arn
}
