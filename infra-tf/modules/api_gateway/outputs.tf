output "invoke_url" {
  description = "Address of the stage; append /animals."
  value       = aws_api_gateway_stage.this.invoke_url
}

output "rest_api_id" {
  description = "Id of the API."
  value       = aws_api_gateway_rest_api.this.id
}

output "rest_api_name" {
  description = "Name of the API, by which its metrics are found."
  value       = aws_api_gateway_rest_api.this.name
}

output "execution_arn" {
  description = "ARN prefix of execute-api:Invoke for this API."
  value       = aws_api_gateway_rest_api.this.execution_arn
}

output "stage_name" {
  description = "Name of the stage."
  value       = aws_api_gateway_stage.this.stage_name
}

output "stage_arn" {
  description = "ARN of the stage, to attach a web ACL to."
  value       = aws_api_gateway_stage.this.arn
}

output "access_log_group_name" {
  description = "Log group of the access log."
  value       = aws_cloudwatch_log_group.access.name
}

output "deployed_routes_digest" {
  description = "Digest of everything that the current deployment froze."
  value       = aws_api_gateway_deployment.this.triggers.routes
}
