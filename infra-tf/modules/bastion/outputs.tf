output "instance_id" {
  description = "Id of the instance, for aws ssm start-session --target."
  value       = aws_instance.this.id
}

output "role_arn" {
  description = "ARN of the role of the instance."
  value       = aws_iam_role.this.arn
}

output "security_group_id" {
  description = "Security group of the instance."
  value       = aws_security_group.this.id
}
