output "state_bucket_name" {
  description = "Name of the state bucket."
  value       = aws_s3_bucket.state.bucket
}

output "state_bucket_arn" {
  description = "ARN of the state bucket."
  value       = aws_s3_bucket.state.arn
}

output "state_kms_key_arn" {
  description = "Key that encrypts the state; whoever reads the state needs kms:Decrypt on it."
  value       = aws_kms_key.state.arn
}

output "region" {
  description = "Region of the state bucket."
  value       = var.region
}

output "database_kms_key_arn" {
  description = "Key for databases and their snapshots; null without one."
  value       = one(aws_kms_key.database[*].arn)
}
