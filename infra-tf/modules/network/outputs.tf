output "vpc_id" {
  description = "Id of the VPC."
  value       = aws_vpc.this.id
}

output "vpc_cidr_block" {
  description = "IPv4 range of the VPC."
  value       = aws_vpc.this.cidr_block
}

output "private_subnet_ids" {
  description = "Ids of the private subnets, one per zone."
  value       = [for zone in keys(local.zones) : aws_subnet.private[zone].id]
}

output "public_subnet_ids" {
  description = "Ids of the public subnets; empty without NAT."
  value       = [for zone in keys(local.public_zone) : aws_subnet.public[zone].id]
}

output "endpoints_security_group_id" {
  description = "Security group of the interface endpoints."
  value       = aws_security_group.endpoints.id
}

output "s3_prefix_list_id" {
  description = "Prefix list of the S3 gateway endpoint, for egress rules."
  value       = aws_vpc_endpoint.s3.prefix_list_id
}

output "flow_log_group_name" {
  description = "Log group of the flow logs; null where they are off."
  value       = one(aws_cloudwatch_log_group.flow_logs[*].name)
}
