output "invoke_url" {
  description = "Address of the API; append /animals."
  value       = module.api_gateway.invoke_url
}

output "dashboard_name" {
  description = "Name of the dashboard."
  value       = module.observability.dashboard_name
}
