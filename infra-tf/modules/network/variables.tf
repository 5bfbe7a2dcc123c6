variable "name" {
  description = "Prefix of every name in this module."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) <= 40
    error_message = "name must be lower-case letters, digits and single hyphens, start with a letter, and be at most 40 characters long."
  }
}

variable "cidr_block" {
  description = "IPv4 range of the VPC, /16 to /24."
  type        = string
  default     = "10.20.0.0/16"
  nullable    = false

  validation {
    condition     = can(cidrhost(var.cidr_block, 0)) && try(tonumber(split("/", var.cidr_block)[1]) >= 16 && tonumber(split("/", var.cidr_block)[1]) <= 24, false)
    error_message = "cidr_block must be an IPv4 CIDR block between /16 and /24, like 10.20.0.0/16."
  }
}

variable "availability_zone_count" {
  description = "Number of availability zones, each with one private subnet (and one public subnet where NAT is on)."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = contains([2, 3], var.availability_zone_count)
    error_message = "availability_zone_count must be 2 or 3: the database needs at least two zones."
  }
}

variable "exclude_zone_ids" {
  description = "Availability zones, by id, that get no subnet because they lack a service (Lambda, RDS Proxy or Graviton)."
  type        = set(string)
  default     = ["use1-az3"]
  nullable    = false

  validation {
    condition     = alltrue([for zone in var.exclude_zone_ids : can(regex("^[a-z0-9]+-az[0-9]+$", zone))])
    error_message = "exclude_zone_ids must hold ids of zones, like use1-az3, and not names, like us-east-1a: each account has its own letters."
  }
}

variable "nat_mode" {
  description = "NAT gateways: none (VPC endpoints only), single (one for all zones) or per_az (one in each zone)."
  type        = string
  default     = "none"
  nullable    = false

  validation {
    condition     = contains(["none", "single", "per_az"], var.nat_mode)
    error_message = "nat_mode must be none, single or per_az."
  }
}

variable "interface_endpoints" {
  description = "AWS services reached through interface endpoints in the private subnets, by their short names."
  type        = set(string)
  default     = ["ssm", "ssmmessages", "ec2messages"]
  nullable    = false

  validation {
    condition     = alltrue([for service in var.interface_endpoints : can(regex("^[a-z0-9]+([.-][a-z0-9]+)*$", service))])
    error_message = "interface_endpoints must hold short service names like ssm, secretsmanager or ecr.api."
  }
}

variable "flow_logs_enabled" {
  description = "Record the traffic of the VPC in a CloudWatch log group."
  type        = bool
  default     = true
  nullable    = false
}

variable "flow_logs_traffic_type" {
  description = "Traffic that the flow logs record: ALL, ACCEPT or REJECT."
  type        = string
  default     = "ALL"
  nullable    = false

  validation {
    condition     = contains(["ALL", "ACCEPT", "REJECT"], var.flow_logs_traffic_type)
    error_message = "flow_logs_traffic_type must be ALL, ACCEPT or REJECT."
  }
}

variable "log_retention_days" {
  description = "Days that the flow logs are kept."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a period that CloudWatch Logs offers, like 30, 90 or 365."
  }
}

variable "kms_key_arn" {
  description = "KMS key that encrypts the flow logs; null uses the key of CloudWatch Logs."
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
