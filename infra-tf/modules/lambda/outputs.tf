output "function_names" {
  description = "Full names of the functions by their short names."
  value       = { for function in var.functions : function => aws_lambda_function.this[function].function_name }
}

output "alias_invoke_arns" {
  description = "ARNs by which API Gateway invokes the live alias of each function."
  value       = { for function in var.functions : function => local.aliases[function].invoke_arn }
}

output "alias_name" {
  description = "Name of the alias that is called."
  value       = local.alias_name
}

output "security_group_id" {
  description = "Security group of the functions."
  value       = aws_security_group.this.id
}

output "role_arn" {
  description = "ARN of the role of the functions."
  value       = aws_iam_role.this.arn
}

output "log_group_names" {
  description = "Log groups of the functions."
  value       = { for function in var.functions : function => aws_cloudwatch_log_group.this[function].name }
}

output "codedeploy_deployments" {
  description = "What CodeDeploy has to deploy after an apply: application, group, function, alias and target version. Empty with all_at_once."
  value = local.uses_codedeploy ? {
    for function in var.functions : function => {
      application    = aws_codedeploy_app.this[0].name
      group          = aws_codedeploy_deployment_group.this[function].deployment_group_name
      function       = aws_lambda_function.this[function].function_name
      alias          = aws_lambda_alias.codedeploy_moved[function].name
      target_version = aws_lambda_function.this[function].version
    }
  } : {}
}
