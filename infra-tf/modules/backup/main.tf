data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

resource "aws_backup_vault" "this" {
  name        = var.name
  kms_key_arn = var.kms_key_arn

  tags = var.tags
}

resource "aws_backup_vault_lock_configuration" "this" {
  count = var.vault_lock_enabled ? 1 : 0

  backup_vault_name  = aws_backup_vault.this.name
  min_retention_days = 1
  max_retention_days = max(var.daily_retention_days, var.monthly_retention_days)
}

# Aurora has no cold storage, so the lifecycle is deletion.
resource "aws_backup_plan" "this" {
  name = var.name

  rule {
    rule_name         = "daily"
    target_vault_name = aws_backup_vault.this.name
    schedule          = "cron(0 4 * * ? *)"
    start_window      = 60
    completion_window = 360

    lifecycle {
      delete_after                              = var.daily_retention_days
      opt_in_to_archive_for_supported_resources = false
    }

    dynamic "copy_action" {
      for_each = var.copy_to_vault_arn == null ? [] : [var.copy_to_vault_arn]
      content {
        destination_vault_arn = copy_action.value
        lifecycle {
          delete_after                              = var.daily_retention_days
          opt_in_to_archive_for_supported_resources = false
        }
      }
    }
  }

  dynamic "rule" {
    for_each = var.monthly_retention_days > 0 ? [1] : []

    content {
      rule_name         = "monthly"
      target_vault_name = aws_backup_vault.this.name
      schedule          = "cron(0 5 1 * ? *)"
      start_window      = 60
      completion_window = 360

      lifecycle {
        delete_after                              = var.monthly_retention_days
        opt_in_to_archive_for_supported_resources = false
      }

      dynamic "copy_action" {
        for_each = var.copy_to_vault_arn == null ? [] : [var.copy_to_vault_arn]
        content {
          destination_vault_arn = copy_action.value
          lifecycle {
            delete_after                              = var.monthly_retention_days
            opt_in_to_archive_for_supported_resources = false
          }
        }
      }
    }
  }

  tags = var.tags
}

data "aws_iam_policy_document" "trust" {
  statement {
    sid     = "Backup"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["backup.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_iam_role" "this" {
  name                 = "${var.name}-backup"
  description          = "Lets AWS Backup make snapshots of ${var.name}"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.permissions_boundary_arn

  tags = var.tags
}

resource "aws_iam_role_policy_attachment" "this" {
  role       = aws_iam_role.this.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup"
}

resource "aws_backup_selection" "this" {
  name         = var.name
  plan_id      = aws_backup_plan.this.id
  iam_role_arn = aws_iam_role.this.arn
  resources    = var.resource_arns

  depends_on = [aws_iam_role_policy_attachment.this]
}
