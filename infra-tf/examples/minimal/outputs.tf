output "invoke_url" {
  description = "Address of the API; append /animals."
  value       = module.api_gateway.invoke_url
}
