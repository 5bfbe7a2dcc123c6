# Who talks to whom, and nothing else: clients -> proxy -> cluster, and clients -> cluster where there is no proxy
# or where a person needs the cluster itself.

resource "aws_security_group" "cluster" {
  name        = "${var.name}-cluster"
  description = "The Aurora cluster of ${var.name}"
  vpc_id      = var.vpc_id

  tags = merge(var.tags, { Name = "${var.name}-cluster" })
}

resource "aws_vpc_security_group_ingress_rule" "cluster_from_clients" {
  for_each = { for client, group in var.client_security_group_ids : client => group if !var.proxy_enabled || contains(var.direct_clients, client) }

  security_group_id            = aws_security_group.cluster.id
  description                  = "Postgres from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = var.port
  to_port                      = var.port

  tags = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "cluster_from_proxy" {
  count = var.proxy_enabled ? 1 : 0

  security_group_id            = aws_security_group.cluster.id
  description                  = "Postgres from the proxy"
  referenced_security_group_id = aws_security_group.proxy[0].id
  ip_protocol                  = "tcp"
  from_port                    = var.port
  to_port                      = var.port

  tags = var.tags
}

resource "aws_security_group" "proxy" {
  #checkov:skip=CKV2_AWS_5:the group is attached to the proxy
  count = var.proxy_enabled ? 1 : 0

  name        = "${var.name}-proxy"
  description = "RDS Proxy of ${var.name}"
  vpc_id      = var.vpc_id

  tags = merge(var.tags, { Name = "${var.name}-proxy" })
}

resource "aws_vpc_security_group_ingress_rule" "proxy_from_clients" {
  for_each = var.proxy_enabled ? var.client_security_group_ids : {}

  security_group_id            = aws_security_group.proxy[0].id
  description                  = "Postgres from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432

  tags = var.tags
}

resource "aws_vpc_security_group_egress_rule" "proxy_to_cluster" {
  count = var.proxy_enabled ? 1 : 0

  security_group_id            = aws_security_group.proxy[0].id
  description                  = "Postgres to the cluster"
  referenced_security_group_id = aws_security_group.cluster.id
  ip_protocol                  = "tcp"
  from_port                    = var.port
  to_port                      = var.port

  tags = var.tags
}

# The clients' own way out is opened here too: this module knows the port and the target.
resource "aws_vpc_security_group_egress_rule" "clients_to_proxy" {
  for_each = var.proxy_enabled ? var.client_security_group_ids : {}

  security_group_id            = each.value
  description                  = "Postgres to the proxy"
  referenced_security_group_id = aws_security_group.proxy[0].id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432

  tags = var.tags
}

resource "aws_vpc_security_group_egress_rule" "clients_to_cluster" {
  for_each = { for client, group in var.client_security_group_ids : client => group if !var.proxy_enabled || contains(var.direct_clients, client) }

  security_group_id            = each.value
  description                  = "Postgres to the cluster"
  referenced_security_group_id = aws_security_group.cluster.id
  ip_protocol                  = "tcp"
  from_port                    = var.port
  to_port                      = var.port

  tags = var.tags
}
