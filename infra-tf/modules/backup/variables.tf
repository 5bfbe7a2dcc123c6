variable "name" {
  description = "Prefix of every name in this module."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) <= 40
    error_message = "name must be lower-case letters, digits and single hyphens, start with a letter, and be at most 40 characters long."
  }
}

variable "resource_arns" {
  description = "What is backed up: ARNs of clusters, volumes and the like."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.resource_arns) > 0
    error_message = "resource_arns must name at least one resource."
  }
}

variable "daily_retention_days" {
  description = "Days that daily snapshots are kept."
  type        = number
  default     = 35
  nullable    = false

  validation {
    condition     = var.daily_retention_days >= 1 && floor(var.daily_retention_days) == var.daily_retention_days
    error_message = "daily_retention_days must be a whole number from 1 on."
  }
}

variable "monthly_retention_days" {
  description = "Days that monthly snapshots are kept; 0 makes none."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = var.monthly_retention_days == 0 || var.monthly_retention_days > var.daily_retention_days
    error_message = "monthly_retention_days must be 0 or more than daily_retention_days."
  }
}

variable "copy_to_vault_arn" {
  description = "Vault in another region or account that each snapshot is copied to; null copies nowhere."
  type        = string
  default     = null

  validation {
    condition     = var.copy_to_vault_arn == null || can(regex("^arn:[a-z-]+:backup:[a-z0-9-]+:[0-9]{12}:backup-vault:", var.copy_to_vault_arn))
    error_message = "copy_to_vault_arn must be the ARN of a backup vault."
  }
}

variable "vault_lock_enabled" {
  description = "Refuse to delete snapshots before their time, even for administrators who may lift the lock first (governance mode)."
  type        = bool
  default     = true
  nullable    = false
}

variable "kms_key_arn" {
  description = "KMS key that encrypts what this module stores; null uses the keys that AWS manages."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the roles made here; null sets none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:[a-z-]+:iam::", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of an IAM policy."
  }
}

variable "tags" {
  description = "Tags on every resource of this module."
  type        = map(string)
  default     = {}
  nullable    = false
}
