variable "name" {
  description = "Prefix of every name in this module."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) <= 40
    error_message = "name must be lower-case letters, digits and single hyphens, start with a letter, and be at most 40 characters long."
  }
}

variable "vpc_id" {
  description = "VPC to work in."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^vpc-[0-9a-z]+$", var.vpc_id))
    error_message = "vpc_id must be the id of a VPC, like vpc-0123456789abcdef0."
  }
}

variable "subnet_ids" {
  description = "Private subnets to work in."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.subnet_ids) >= 1
    error_message = "subnet_ids must name at least one subnet."
  }
}

variable "functions" {
  description = "Functions to make, all from the same artifact, by their short names."
  type        = set(string)
  default     = ["get", "post", "delete"]
  nullable    = false

  validation {
    condition     = length(var.functions) > 0 && alltrue([for function in var.functions : can(regex("^[a-z][a-z0-9-]{0,15}$", function))])
    error_message = "functions must hold short names of lower-case letters, digits and hyphens."
  }
}

variable "artifact_path" {
  description = "Zip with the bootstrap binary, as made by cargo xtask lambda build."
  type        = string
  nullable    = false
}

variable "expected_source_digest" {
  description = "Digest of the sources that the artifact must have been built from; null does not compare. The artifact's own digest is read from the file artifact_path.sources beside it."
  type        = string
  default     = null

  validation {
    condition     = var.expected_source_digest == null || can(regex("^[0-9a-f]{64}$", var.expected_source_digest))
    error_message = "expected_source_digest must be a SHA-256 digest in hexadecimal."
  }
}

variable "architecture" {
  description = "Processor that the artifact is built for: arm64 or x86_64."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "memory_mb" {
  description = "Memory of each function in MB; processor time grows with it."
  type        = number
  default     = 256
  nullable    = false

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240
    error_message = "memory_mb must be from 128 to 10240."
  }
}

variable "timeout_seconds" {
  description = "Deadline of one invocation in seconds; API Gateway itself gives up after 29."
  type        = number
  default     = 28
  nullable    = false

  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 29
    error_message = "timeout_seconds must be from 1 to 29: API Gateway does not wait longer."
  }
}

variable "environment" {
  description = "Environment variables of every function."
  type        = map(string)
  nullable    = false
}

variable "database_connect_arns" {
  description = "Resources of rds-db:connect: the database users that the functions may log in as."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.database_connect_arns) > 0
    error_message = "database_connect_arns must name at least one database user."
  }
}

variable "provisioned_concurrency" {
  description = "Instances kept warm per function; 0 keeps none."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.provisioned_concurrency >= 0 && floor(var.provisioned_concurrency) == var.provisioned_concurrency
    error_message = "provisioned_concurrency must be a whole number from 0 on."
  }
}

variable "reserved_concurrency" {
  description = "Most concurrent instances per function; -1 shares the account's limit."
  type        = number
  default     = -1
  nullable    = false

  validation {
    condition     = var.reserved_concurrency == -1 || var.reserved_concurrency >= max(1, var.provisioned_concurrency)
    error_message = "reserved_concurrency must be -1, or at least 1 and at least provisioned_concurrency."
  }
}

variable "tracing_enabled" {
  description = "Record traces in X-Ray."
  type        = bool
  default     = true
  nullable    = false
}

variable "log_level" {
  description = "Least severe log lines that are kept: TRACE, DEBUG, INFO, WARN or ERROR."
  type        = string
  default     = "INFO"
  nullable    = false

  validation {
    condition     = contains(["TRACE", "DEBUG", "INFO", "WARN", "ERROR"], var.log_level)
    error_message = "log_level must be TRACE, DEBUG, INFO, WARN or ERROR."
  }
}

variable "deployment_strategy" {
  description = "How the alias moves to a new version: all_at_once (by Terraform), canary, linear or blue_green (by CodeDeploy, rolled back on alarms)."
  type        = string
  default     = "all_at_once"
  nullable    = false

  validation {
    condition     = contains(["all_at_once", "canary", "linear", "blue_green"], var.deployment_strategy)
    error_message = "deployment_strategy must be all_at_once, canary, linear or blue_green."
  }
}

variable "deployment_alarm_names" {
  description = "Alarms that stop a CodeDeploy deployment and take it back."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a period that CloudWatch Logs offers, like 30, 90 or 365."
  }
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
