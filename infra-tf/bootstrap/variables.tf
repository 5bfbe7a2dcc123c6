variable "region" {
  description = "AWS region of the state bucket."
  type        = string
  default     = "us-east-1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS region, like eu-west-1."
  }
}

variable "project" {
  description = "First part of every name."
  type        = string
  default     = "postgresasapp"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.project)) && length(var.project) <= 24
    error_message = "project must be lower-case letters, digits and single hyphens, start with a letter, and be at most 24 characters long."
  }

  # S3 takes 63 characters, and the log bucket adds 4 to PROJECT-tfstate-ACCOUNT-REGION.
  validation {
    condition     = var.bucket_name != null || length("${var.project}-tfstate-123456789012-${var.region}") <= 59
    error_message = "project and region make a bucket name of more than 59 characters; state bucket_name."
  }
}

variable "database_key_enabled" {
  description = "Make a KMS key for databases and their snapshots (database_kms_key_arn of the deployments), 1 dollar a month."
  type        = bool
  default     = false
  nullable    = false
}

variable "bucket_name" {
  description = "Name of the state bucket; null means PROJECT-tfstate-ACCOUNT-REGION."
  type        = string
  default     = null

  validation {
    condition     = var.bucket_name == null || can(regex("^[a-z0-9][a-z0-9.-]{1,57}[a-z0-9]$", var.bucket_name))
    error_message = "bucket_name must be 3 to 59 lower-case letters, digits, dots and hyphens: the log bucket adds 4 characters."
  }
}

variable "state_version_days" {
  description = "Days that replaced versions of a state are kept."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = var.state_version_days >= 30
    error_message = "state_version_days must be at least 30: old versions are what a damaged state is restored from."
  }
}

variable "state_versions_kept" {
  description = "Replaced versions that are kept however old they are."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.state_versions_kept >= 1 && var.state_versions_kept <= 100
    error_message = "state_versions_kept must be from 1 to 100."
  }
}

variable "access_log_days" {
  description = "Days that the access logs of the state bucket are kept."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = var.access_log_days >= 31
    error_message = "access_log_days must be at least 31: logs move to cheaper storage after 30 days."
  }
}

variable "tags" {
  description = "Tags on every resource, beside Project and ManagedBy."
  type        = map(string)
  default     = {}
  nullable    = false
}
