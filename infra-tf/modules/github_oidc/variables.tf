variable "name" {
  description = "Prefix of every name in this module."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) <= 40
    error_message = "name must be lower-case letters, digits and single hyphens, start with a letter, and be at most 40 characters long."
  }
}

variable "github_repository" {
  description = "Repository whose workflows may take the roles, as owner/name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "github_repository must be owner/name, without wildcards."
  }
}

variable "github_owner_id" {
  description = "Number of the repository's owner, where GitHub sends immutable subjects (owner@number/name@number); null where it sends names only."
  type        = string
  default     = null

  validation {
    condition     = var.github_owner_id == null || can(regex("^[0-9]+$", var.github_owner_id))
    error_message = "github_owner_id must be a number."
  }

  validation {
    condition     = (var.github_owner_id == null) == (var.github_repository_id == null)
    error_message = "github_owner_id and github_repository_id belong together: set both or neither."
  }
}

variable "github_repository_id" {
  description = "Number of the repository, together with github_owner_id."
  type        = string
  default     = null

  validation {
    condition     = var.github_repository_id == null || can(regex("^[0-9]+$", var.github_repository_id))
    error_message = "github_repository_id must be a number."
  }
}

variable "github_environment" {
  description = "GitHub environment whose jobs may deploy; let it admit github_branch only."
  type        = string
  default     = "production"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]+$", var.github_environment))
    error_message = "github_environment must be a plain name, without wildcards."
  }
}

variable "github_branch" {
  description = "Branch whose jobs may deploy, and, beside those of pull requests, plan and test."
  type        = string
  default     = "main"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9._/-]+$", var.github_branch))
    error_message = "github_branch must be the name of a branch, without wildcards."
  }
}

variable "create_oidc_provider" {
  description = "Make the OIDC provider of GitHub; false where the account already has it, since there can be only one."
  type        = bool
  default     = true
  nullable    = false
}

variable "project_tag" {
  description = "Value of the tag Project on everything that the deploying role may change."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]+$", var.project_tag))
    error_message = "project_tag must be a plain value, without wildcards."
  }
}

variable "state_bucket_name" {
  description = "Bucket of the Terraform state; null gives no access to any."
  type        = string
  default     = null

  validation {
    condition     = var.state_bucket_name == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.state_bucket_name))
    error_message = "state_bucket_name must be the name of an S3 bucket."
  }
}

variable "state_kms_key_arn" {
  description = "KMS key that encrypts the state bucket; null where it is one that AWS manages."
  type        = string
  default     = null

  validation {
    condition     = var.state_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:", var.state_kms_key_arn))
    error_message = "state_kms_key_arn must be the ARN of a KMS key."
  }
}

variable "state_key_prefix" {
  description = "Folder in the state bucket with this environment's terraform.tfstate, and no other environment's."
  type        = string
  default     = "infra-tf/dev"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_./-]+$", var.state_key_prefix)) && !endswith(var.state_key_prefix, "/")
    error_message = "state_key_prefix must be a path without wildcards and without a slash at its end."
  }
}

variable "rest_api_id" {
  description = "API that the deploying role may change and the testing role may call."
  type        = string
  nullable    = false
}

variable "kms_key_arn" {
  description = "KMS key that encrypts the resources and the state, which the roles may use; null means keys that AWS manages."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key."
  }
}

variable "kms_key_enabled" {
  description = "Whether kms_key_arn is set; apart, so that it is known before the key is made."
  type        = bool
  default     = false
  nullable    = false
}

variable "database_kms_key_arn" {
  description = "KMS key that encrypts the database and its snapshots; null means the key that AWS manages."
  type        = string
  default     = null

  validation {
    condition     = var.database_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:", var.database_kms_key_arn))
    error_message = "database_kms_key_arn must be the ARN of a KMS key."
  }
}

variable "database_iam_username" {
  description = "The one database user that a role made by CI may log in as."
  type        = string
  default     = "lambda_iam"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z_][a-z0-9_]{0,62}$", var.database_iam_username))
    error_message = "database_iam_username must be a lower-case identifier."
  }
}

variable "tags" {
  description = "Tags on every resource of this module."
  type        = map(string)
  default     = {}
  nullable    = false
}
