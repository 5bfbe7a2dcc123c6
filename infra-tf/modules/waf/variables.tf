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
  description = "What the web ACL protects, by a name of your choice (the names must be known before the first apply)."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "rate_limit" {
  description = "Requests in five minutes from one address before it is blocked."
  type        = number
  default     = 2000
  nullable    = false

  validation {
    condition     = var.rate_limit >= 10 && var.rate_limit <= 2000000000
    error_message = "rate_limit must be from 10 to 2000000000."
  }
}

variable "managed_rule_groups" {
  description = "Rule groups of AWS that are applied, in this order."
  type        = list(string)
  default     = ["AWSManagedRulesAmazonIpReputationList", "AWSManagedRulesKnownBadInputsRuleSet", "AWSManagedRulesCommonRuleSet", "AWSManagedRulesSQLiRuleSet"]
  nullable    = false

  validation {
    condition     = alltrue([for group in var.managed_rule_groups : can(regex("^AWSManagedRules[A-Za-z]+$", group))]) && length(distinct(var.managed_rule_groups)) == length(var.managed_rule_groups)
    error_message = "managed_rule_groups must be distinct names of AWS managed rule groups, like AWSManagedRulesCommonRuleSet."
  }

  validation {
    condition     = contains(var.managed_rule_groups, "AWSManagedRulesKnownBadInputsRuleSet")
    error_message = "managed_rule_groups must include AWSManagedRulesKnownBadInputsRuleSet, which blocks requests that exploit known holes."
  }
}

variable "count_only" {
  description = "Count what the managed rule groups match instead of blocking it, to try them out."
  type        = bool
  default     = false
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

variable "tags" {
  description = "Tags on every resource of this module."
  type        = map(string)
  default     = {}
  nullable    = false
}
