variable "name" {
  description = "Prefix of every name in this module."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) <= 40
    error_message = "name must be lower-case letters, digits and single hyphens, start with a letter, and be at most 40 characters long."
  }
}

variable "invoke_arns" {
  description = "ARNs by which API Gateway invokes the functions get, post and delete."
  type        = map(string)
  nullable    = false

  validation {
    condition     = length(setsubtract(["get", "post", "delete"], keys(var.invoke_arns))) == 0
    error_message = "invoke_arns must have the keys get, post and delete."
  }
}

variable "function_names" {
  description = "Full names of the functions get, post and delete."
  type        = map(string)
  nullable    = false

  validation {
    condition     = length(setsubtract(["get", "post", "delete"], keys(var.function_names))) == 0
    error_message = "function_names must have the keys get, post and delete."
  }
}

variable "function_alias" {
  description = "Alias of the functions that is called."
  type        = string
  default     = "live"
  nullable    = false
}

variable "stage_name" {
  description = "Name of the stage, the first part of every path."
  type        = string
  default     = "v1"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,128}$", var.stage_name))
    error_message = "stage_name must hold letters, digits, underscores and hyphens."
  }
}

variable "authorization" {
  description = "Who may call: NONE (everyone) or AWS_IAM (signed requests of principals with execute-api:Invoke)."
  type        = string
  default     = "NONE"
  nullable    = false

  validation {
    condition     = contains(["NONE", "AWS_IAM"], var.authorization)
    error_message = "authorization must be NONE or AWS_IAM."
  }
}

variable "throttling_rate_limit" {
  description = "Requests per second that the stage takes on average."
  type        = number
  default     = 50
  nullable    = false

  validation {
    condition     = var.throttling_rate_limit > 0
    error_message = "throttling_rate_limit must be greater than 0."
  }
}

variable "throttling_burst_limit" {
  description = "Requests that the stage takes at once."
  type        = number
  default     = 100
  nullable    = false

  validation {
    condition     = var.throttling_burst_limit > 0 && floor(var.throttling_burst_limit) == var.throttling_burst_limit
    error_message = "throttling_burst_limit must be a whole number greater than 0."
  }
}

variable "cache_enabled" {
  description = "Cache the answers of GET /animals in an encrypted cache cluster, which is paid by the hour."
  type        = bool
  default     = false
  nullable    = false
}

variable "cache_size_gb" {
  description = "Size of the cache in GB."
  type        = string
  default     = "0.5"
  nullable    = false

  validation {
    condition     = contains(["0.5", "1.6", "6.1", "13.5", "28.4", "58.2", "118", "237"], var.cache_size_gb)
    error_message = "cache_size_gb must be a size that API Gateway offers: 0.5, 1.6, 6.1, 13.5, 28.4, 58.2, 118 or 237."
  }
}

variable "cache_ttl_seconds" {
  description = "Seconds that a cached answer stays valid; a saved animal shows up after them at the latest."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.cache_ttl_seconds >= 1 && var.cache_ttl_seconds <= 3600
    error_message = "cache_ttl_seconds must be from 1 to 3600."
  }
}

variable "tracing_enabled" {
  description = "Record traces in X-Ray."
  type        = bool
  default     = true
  nullable    = false
}

variable "manage_account_logging" {
  description = "Set the role by which API Gateway writes logs: one setting per account and region, so false where another configuration owns it."
  type        = bool
  default     = true
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
