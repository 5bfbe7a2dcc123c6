output "invoke_url" {
  description = "Address of the API; append /animals."
  value       = module.api_gateway.invoke_url
}

# By these names `cargo xtask bootstrap --target aurora` finds its way to the database.

output "database_endpoint" {
  description = "Writer endpoint of the cluster."
  value       = module.database.endpoint
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

output "database_iam_token_username" {
  description = "Database user that logs in with an IAM token."
  value       = module.database.iam_username
}

output "ec2_instance_id" {
  description = "Id of the bastion; null without one."
  value       = one(module.bastion[*].instance_id)
}
