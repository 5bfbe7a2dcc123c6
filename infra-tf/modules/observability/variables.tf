variable "name" {
  description = "Prefix of every name in this module."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) <= 40
    error_message = "name must be lower-case letters, digits and single hyphens, start with a letter, and be at most 40 characters long."
  }
}

variable "function_names" {
  description = "Full names of the functions by their short names."
  type        = map(string)
  nullable    = false
}

variable "rest_api_name" {
  description = "Name of the API."
  type        = string
  nullable    = false
}

variable "stage_name" {
  description = "Stage of the API."
  type        = string
  nullable    = false
}

variable "cluster_identifier" {
  description = "Identifier of the cluster."
  type        = string
  nullable    = false
}

variable "proxy_name" {
  description = "Name of the proxy; null without one."
  type        = string
  default     = null
}

variable "log_group_names" {
  description = "Log groups that the saved queries look through."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "dashboard_enabled" {
  description = "Make the dashboard."
  type        = bool
  default     = true
  nullable    = false
}

variable "alarms_enabled" {
  description = "Make the alarms and their topic."
  type        = bool
  default     = true
  nullable    = false
}

variable "alarm_emails" {
  description = "Addresses that alarms are sent to; each has to confirm."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for address in var.alarm_emails : can(regex("^[^@ ]+@[^@ ]+[.][^@ ]+$", address))])
    error_message = "alarm_emails must hold e-mail addresses."
  }
}

variable "latency_threshold_ms" {
  description = "Latency (p99, in ms) from which an alarm is raised."
  type        = number
  default     = 2000
  nullable    = false

  validation {
    condition     = var.latency_threshold_ms > 0
    error_message = "latency_threshold_ms must be greater than 0."
  }
}

variable "tracing_enabled" {
  description = "Make the X-Ray group and sampling rule."
  type        = bool
  default     = true
  nullable    = false
}

variable "trace_sampling_rate" {
  description = "Share of requests that are traced, beside the first of each second."
  type        = number
  default     = 0.05
  nullable    = false

  validation {
    condition     = var.trace_sampling_rate >= 0 && var.trace_sampling_rate <= 1
    error_message = "trace_sampling_rate must be from 0 to 1."
  }
}

variable "log_queries_enabled" {
  description = "Save queries for CloudWatch Logs Insights."
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

variable "tags" {
  description = "Tags on every resource of this module."
  type        = map(string)
  default     = {}
  nullable    = false
}
