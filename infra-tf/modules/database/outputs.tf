output "cluster_arn" {
  description = "ARN of the cluster."
  value       = aws_rds_cluster.this.arn
}

output "cluster_identifier" {
  description = "Identifier of the cluster."
  value       = aws_rds_cluster.this.cluster_identifier
}

output "endpoint" {
  description = "Writer endpoint of the cluster."
  value       = aws_rds_cluster.this.endpoint
}

output "reader_endpoint" {
  description = "Reader endpoint of the cluster."
  value       = aws_rds_cluster.this.reader_endpoint
}

output "proxy_endpoint" {
  description = "Endpoint of the proxy; null without one."
  value       = one(aws_db_proxy.this[*].endpoint)
}

output "proxy_name" {
  description = "Name of the proxy; null without one."
  value       = var.proxy_enabled ? local.proxy_name : null
}

output "proxy_role_arn" {
  description = "ARN of the role of the proxy; null without one."
  value       = one(aws_iam_role.proxy[*].arn)
}

output "client_host" {
  description = "Host that clients connect to: the proxy where there is one, else the cluster."
  value       = var.proxy_enabled ? aws_db_proxy.this[0].endpoint : aws_rds_cluster.this.endpoint

  # Clients that move to a new proxy find the cluster behind it, and the old one stays until they have moved.
  depends_on = [aws_db_proxy_target.this]
}

output "client_port" {
  description = "Port that clients connect to: a Postgres proxy always listens on 5432."
  value       = var.proxy_enabled ? 5432 : var.port
}

output "client_connect_arn" {
  description = "Resource of rds-db:connect that lets a client log in as the IAM user."
  value = format("arn:%s:rds-db:%s:%s:dbuser:%s/%s",
    data.aws_partition.current.partition, data.aws_region.current.region, data.aws_caller_identity.current.account_id,
    # The id of a proxy is the last part of its ARN.
    var.proxy_enabled ? element(split(":", aws_db_proxy.this[0].arn), 6) : aws_rds_cluster.this.cluster_resource_id,
  var.iam_username)
}

output "database_name" {
  description = "Name of the database."
  value       = aws_rds_cluster.this.database_name
}

output "port" {
  description = "Port of the cluster."
  value       = var.port
}

output "master_username" {
  description = "Name of the master user."
  value       = aws_rds_cluster.this.master_username
}

output "master_secret_arn" {
  description = "Secret with the master user's name and password, kept and rotated by RDS."
  value       = aws_rds_cluster.this.master_user_secret[0].secret_arn
}

output "iam_username" {
  description = "Database user that logs in with an IAM token."
  value       = var.iam_username
}

output "security_group_id" {
  description = "Security group of the cluster."
  value       = aws_security_group.cluster.id
}

output "instance_identifiers" {
  description = "Identifiers of the instances, the writer's first."
  value       = [for key in sort(local.instances) : "${var.name}-${key}"]
}
