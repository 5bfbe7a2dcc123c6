# IAM from end to end: the functions present a token to the proxy, the proxy presents one to the cluster. No database
# password exists for either of them, so there is none to copy, to leak or to rotate.

locals {
  # Other subnets need another proxy, and whatever depends on this one has the new one made before the old one goes: it
  # cannot have the old one's name, so the name follows from the subnets. Eight characters, as the CI roles expect them.
  proxy_name = "${var.name}-${substr(sha256(join(" ", sort(var.subnet_ids))), 0, 8)}"
}

data "aws_iam_policy_document" "proxy_trust" {
  statement {
    sid     = "Proxy"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["rds.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_iam_role" "proxy" {
  count = var.proxy_enabled ? 1 : 0

  name                 = "${var.name}-db-proxy-role"
  description          = "Lets RDS Proxy log in to the cluster of ${var.name} as the user of the functions"
  assume_role_policy   = data.aws_iam_policy_document.proxy_trust.json
  permissions_boundary = var.permissions_boundary_arn

  tags = var.tags
}

data "aws_iam_policy_document" "proxy" {
  statement {
    sid       = "ConnectAsFunctions"
    actions   = ["rds-db:connect"]
    resources = ["arn:${data.aws_partition.current.partition}:rds-db:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:dbuser:${aws_rds_cluster.this.cluster_resource_id}/${var.iam_username}"]
  }
}

resource "aws_iam_role_policy" "proxy" {
  count = var.proxy_enabled ? 1 : 0

  name   = "connect"
  role   = aws_iam_role.proxy[0].id
  policy = data.aws_iam_policy_document.proxy.json
}

resource "aws_cloudwatch_log_group" "proxy" {
  count = var.proxy_enabled ? 1 : 0

  name              = "/aws/rds/proxy/${local.proxy_name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn

  tags = var.tags
}

resource "aws_db_proxy" "this" {
  count = var.proxy_enabled ? 1 : 0

  name                   = local.proxy_name
  engine_family          = "POSTGRESQL"
  default_auth_scheme    = "IAM_AUTH"
  role_arn               = aws_iam_role.proxy[0].arn
  require_tls            = true
  debug_logging          = var.proxy_debug_logging
  idle_client_timeout    = 1800
  vpc_subnet_ids         = var.subnet_ids
  vpc_security_group_ids = [aws_security_group.proxy[0].id]

  tags = var.tags

  depends_on = [aws_cloudwatch_log_group.proxy, aws_iam_role_policy.proxy]
}

resource "aws_db_proxy_default_target_group" "this" {
  count = var.proxy_enabled ? 1 : 0

  db_proxy_name = aws_db_proxy.this[0].name

  connection_pool_config {
    connection_borrow_timeout    = 10
    max_connections_percent      = var.proxy_max_connections_percent
    max_idle_connections_percent = min(50, var.proxy_max_connections_percent)
  }
}

resource "aws_db_proxy_target" "this" {
  count = var.proxy_enabled ? 1 : 0

  db_proxy_name         = aws_db_proxy.this[0].name
  target_group_name     = aws_db_proxy_default_target_group.this[0].name
  db_cluster_identifier = aws_rds_cluster.this.id

  # The proxy can only take a cluster that has an instance.
  depends_on = [aws_rds_cluster_instance.this]
}
