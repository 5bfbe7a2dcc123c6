data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  # The writer is number 0; after a failover the numbers stay and the roles move.
  instances = toset([for index in range(1 + var.reader_count) : tostring(index)])
}

resource "aws_db_subnet_group" "this" {
  name        = var.name
  description = "Private subnets of ${var.name}"
  subnet_ids  = var.subnet_ids

  tags = var.tags
}

# One per major version: a cluster that is upgraded takes the new group before the old one goes, and where AWS refuses the
# upgrade, the old one is still there to go back to.
resource "aws_rds_cluster_parameter_group" "this" {
  for_each = toset([local.major_version])

  name        = "${var.name}-aurora-postgresql${each.key}"
  family      = "aurora-postgresql${each.key}"
  description = "TLS for everyone, statement statistics, slow and schema-changing statements logged"

  dynamic "parameter" {
    for_each = merge({
      "rds.force_ssl"                       = { value = "1", method = "immediate" }
      "shared_preload_libraries"            = { value = "pg_stat_statements", method = "pending-reboot" }
      "log_statement"                       = { value = "ddl", method = "immediate" }
      "log_min_duration_statement"          = { value = "1000", method = "immediate" }
      "idle_in_transaction_session_timeout" = { value = "60000", method = "immediate" }
      },
      # A cluster pauses when it has no connection at all, and a function that sleeps keeps its own.
      var.min_capacity == 0 ? { "idle_session_timeout" = { value = "300000", method = "immediate" } } : {},
    )
    content {
      name         = parameter.key
      value        = parameter.value.value
      apply_method = parameter.value.method
    }
  }

  tags = var.tags
}

# What a group of before was called in the state, so that it is kept.
moved {
  from = aws_rds_cluster_parameter_group.this
  to   = aws_rds_cluster_parameter_group.this["17"]
}

# Drawn once for each cluster: a second one of this name must not meet the last snapshot of the first.
resource "terraform_data" "final_snapshot" {
  triggers_replace = var.name
}

# Made here and not by the cluster, so that the logs have a retention and a key from the first line on.
resource "aws_cloudwatch_log_group" "postgresql" {
  name              = "/aws/rds/cluster/${var.name}/postgresql"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn

  tags = var.tags
}

resource "aws_rds_cluster" "this" {
  #checkov:skip=CKV2_AWS_8:the backup module selects the cluster by its ARN
  #checkov:skip=CKV2_AWS_27:the parameter group logs slow and schema-changing statements, in a dynamic block; logging all would log data
  cluster_identifier = var.name
  engine             = "aurora-postgresql"
  engine_mode        = "provisioned"
  engine_version     = local.engine_version
  database_name      = var.database_name
  port               = var.port

  master_username               = var.master_username
  manage_master_user_password   = true
  master_user_secret_kms_key_id = var.kms_key_arn

  iam_database_authentication_enabled = true
  storage_encrypted                   = true
  kms_key_id                          = var.storage_kms_key_arn

  db_subnet_group_name            = aws_db_subnet_group.this.name
  db_cluster_parameter_group_name = aws_rds_cluster_parameter_group.this[local.major_version].name
  vpc_security_group_ids          = [aws_security_group.cluster.id]

  backup_retention_period         = var.backup_retention_days
  preferred_backup_window         = "02:00-03:00"
  preferred_maintenance_window    = "sun:03:30-sun:04:30"
  copy_tags_to_snapshot           = true
  deletion_protection             = var.deletion_protection
  snapshot_identifier             = var.snapshot_identifier
  skip_final_snapshot             = var.skip_final_snapshot
  final_snapshot_identifier       = var.skip_final_snapshot ? null : "${var.name}-final-${substr(terraform_data.final_snapshot.id, 0, 8)}"
  enabled_cloudwatch_logs_exports = ["postgresql"]
  # A major upgrade that waits for its window would leave the old parameter group in use until then, and no plan empty.
  allow_major_version_upgrade = var.allow_major_version_upgrade
  apply_immediately           = var.apply_immediately || var.allow_major_version_upgrade

  serverlessv2_scaling_configuration {
    min_capacity             = var.min_capacity
    max_capacity             = var.max_capacity
    seconds_until_auto_pause = var.min_capacity == 0 ? var.auto_pause_seconds : null
  }

  tags = var.tags

  depends_on = [aws_cloudwatch_log_group.postgresql]

  lifecycle {
    # Only a new cluster begins with a snapshot; one that runs would be replaced for it.
    ignore_changes = [snapshot_identifier]
  }
}

resource "aws_rds_cluster_instance" "this" {
  #checkov:skip=CKV_AWS_226:a bare major, the default, follows minor versions by itself; a full one is stated to stay
  for_each = local.instances

  identifier           = "${var.name}-${each.key}"
  cluster_identifier   = aws_rds_cluster.this.id
  engine               = aws_rds_cluster.this.engine
  instance_class       = "db.serverless"
  db_subnet_group_name = aws_db_subnet_group.this.name
  publicly_accessible  = false
  # The first reader follows the writer's capacity and takes over from it; the others scale on their own.
  promotion_tier = min(tonumber(each.key), 15)

  auto_minor_version_upgrade   = local.follows_minors
  copy_tags_to_snapshot        = true
  monitoring_interval          = var.enhanced_monitoring_seconds
  monitoring_role_arn          = var.enhanced_monitoring_seconds > 0 ? aws_iam_role.monitoring[0].arn : null
  performance_insights_enabled = var.performance_insights_enabled

  performance_insights_kms_key_id       = var.performance_insights_enabled ? var.kms_key_arn : null
  performance_insights_retention_period = var.performance_insights_enabled ? var.performance_insights_retention_days : null

  ca_cert_identifier = "rds-ca-rsa2048-g1"

  tags = var.tags
}

# RDS owns the secret and its rotation; this sets the rhythm.
resource "aws_secretsmanager_secret_rotation" "master" {
  #checkov:skip=CKV_AWS_304:the days are a variable that is validated to be 90 at most
  secret_id          = aws_rds_cluster.this.master_user_secret[0].secret_arn
  rotate_immediately = false

  rotation_rules {
    automatically_after_days = var.master_secret_rotation_days
  }
}

data "aws_iam_policy_document" "monitoring_trust" {
  statement {
    sid     = "EnhancedMonitoring"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["monitoring.rds.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_iam_role" "monitoring" {
  count = var.enhanced_monitoring_seconds > 0 ? 1 : 0

  name                 = "${var.name}-db-monitoring"
  description          = "Lets RDS write the enhanced monitoring of ${var.name}"
  assume_role_policy   = data.aws_iam_policy_document.monitoring_trust.json
  permissions_boundary = var.permissions_boundary_arn

  tags = var.tags
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  count = var.enhanced_monitoring_seconds > 0 ? 1 : 0

  role       = aws_iam_role.monitoring[0].name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}
