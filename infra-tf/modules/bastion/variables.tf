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

variable "subnet_id" {
  description = "Private subnet of the instance."
  type        = string
  nullable    = false
}

variable "endpoints_security_group_id" {
  description = "Security group of the interface endpoints by which Session Manager is reached; null where there are none."
  type        = string
  default     = null
}

variable "nat_enabled" {
  description = "Whether Session Manager is reached through NAT instead of interface endpoints."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = var.nat_enabled || var.endpoints_security_group_id != null
    error_message = "Session Manager must be reachable: set endpoints_security_group_id, or nat_enabled where the VPC has NAT."
  }
}

variable "instance_type" {
  description = "Graviton instance type of the bastion, which only forwards ports."
  type        = string
  default     = "t4g.nano"
  nullable    = false

  validation {
    condition     = can(regex("^(a1|[a-z]+[0-9]+g[a-z]*)\\.[a-z0-9]+$", var.instance_type))
    error_message = "instance_type must be a Graviton type, like t4g.nano: the image is for arm64."
  }
}

variable "root_volume_gb" {
  description = "Size of the root volume in GB."
  type        = number
  default     = 8
  nullable    = false

  validation {
    condition     = var.root_volume_gb >= 8
    error_message = "root_volume_gb must be at least 8, the size of the image."
  }
}

variable "kms_key_arn" {
  description = "KMS key that encrypts the root volume; null uses the key that AWS manages."
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
