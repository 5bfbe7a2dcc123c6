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
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids must name at least two subnets, in two availability zones."
  }
}

variable "client_security_group_ids" {
  description = "Security groups that may connect, by a name of your choice (the names must be known before the first apply)."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "direct_clients" {
  description = "Names from client_security_group_ids that may reach the cluster itself and not only the proxy (the bastion, for the bootstrap)."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(setsubtract(var.direct_clients, keys(var.client_security_group_ids))) == 0
    error_message = "direct_clients must be names that client_security_group_ids has."
  }
}

variable "engine_version" {
  description = "Aurora PostgreSQL version: a major (17), whose minor versions AWS brings by itself, or a full one (17.5), which is changed here only."
  type        = string
  default     = "17"
  nullable    = false

  validation {
    condition     = can(regex("^1[6-9](\\.[0-9]+)?$", var.engine_version))
    error_message = "engine_version must be an Aurora PostgreSQL version from 16 on, like 17 or 17.5."
  }
}

variable "database_name" {
  description = "Database that the cluster creates."
  type        = string
  default     = "animals"
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9_]{0,62}$", var.database_name)) && !contains(["all", "create", "db", "rdsadmin", "select", "table", "template0", "template1", "user"], lower(var.database_name))
    error_message = "database_name must start with a letter, hold at most 63 letters, digits and underscores, and be no word that the engine keeps for itself."
  }
}

variable "port" {
  description = "Port of the database."
  type        = number
  default     = 5432
  nullable    = false

  validation {
    condition     = var.port >= 1150 && var.port <= 65535 && floor(var.port) == var.port
    error_message = "port must be a whole number from 1150 to 65535."
  }
}

variable "master_username" {
  description = "Name of the master user. Its password is made and kept by RDS in Secrets Manager."
  type        = string
  default     = "postgres"
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9_]{0,62}$", var.master_username)) && !contains(["admin", "all", "create", "current_user", "grant", "none", "public", "select", "session_user", "table", "user"], lower(var.master_username)) && !startswith(lower(var.master_username), "rds") && !startswith(lower(var.master_username), "pg_")
    error_message = "master_username must start with a letter, hold letters, digits and underscores, and be no name that RDS keeps for itself."
  }
}

variable "iam_username" {
  description = "Database user of the functions, who logs in with an IAM token and has no password."
  type        = string
  default     = "lambda_iam"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z_][a-z0-9_]{0,62}$", var.iam_username)) && var.iam_username != var.master_username
    error_message = "iam_username must be a lower-case identifier other than master_username."
  }
}

variable "master_secret_rotation_days" {
  description = "Days after which the master password is rotated by RDS."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.master_secret_rotation_days >= 1 && var.master_secret_rotation_days <= 90
    error_message = "master_secret_rotation_days must be from 1 to 90."
  }
}

variable "min_capacity" {
  description = "Smallest capacity in ACU, in steps of 0.5; 0 lets the cluster pause (only without the proxy, which keeps connections open)."
  type        = number
  default     = 0.5
  nullable    = false

  validation {
    condition     = var.min_capacity >= 0 && var.min_capacity <= 256 && floor(var.min_capacity * 2) == var.min_capacity * 2
    error_message = "min_capacity must be from 0 to 256 ACU in steps of 0.5."
  }

  validation {
    condition     = !(var.min_capacity == 0 && var.proxy_enabled)
    error_message = "min_capacity 0 needs proxy_enabled = false: the proxy keeps connections open, so the cluster would never pause."
  }
}

variable "max_capacity" {
  description = "Largest capacity in ACU, in steps of 0.5."
  type        = number
  default     = 4
  nullable    = false

  validation {
    condition     = var.max_capacity >= 1 && var.max_capacity <= 256 && floor(var.max_capacity * 2) == var.max_capacity * 2 && var.max_capacity >= var.min_capacity
    error_message = "max_capacity must be from 1 to 256 ACU in steps of 0.5 and not below min_capacity."
  }
}

variable "auto_pause_seconds" {
  description = "Idle seconds after which a cluster with min_capacity 0 pauses; null leaves it to AWS, which takes 300."
  type        = number
  default     = null

  validation {
    condition     = coalesce(var.auto_pause_seconds, 300) >= 300 && coalesce(var.auto_pause_seconds, 300) <= 86400
    error_message = "auto_pause_seconds must be from 300 to 86400."
  }
}

variable "reader_count" {
  description = "Readers beside the writer; one is enough for a failover in seconds instead of minutes."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.reader_count >= 0 && var.reader_count <= 15 && floor(var.reader_count) == var.reader_count
    error_message = "reader_count must be a whole number from 0 to 15."
  }
}

variable "proxy_enabled" {
  description = "Put RDS Proxy, with IAM authentication end to end, before the cluster."
  type        = bool
  default     = true
  nullable    = false
}

variable "proxy_debug_logging" {
  description = "Let the proxy log statements for 24 hours; they can hold data, so only for a search."
  type        = bool
  default     = false
  nullable    = false
}

variable "proxy_max_connections_percent" {
  description = "Share of the cluster's connections that the proxy may use, in percent."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.proxy_max_connections_percent >= 1 && var.proxy_max_connections_percent <= 100
    error_message = "proxy_max_connections_percent must be from 1 to 100."
  }
}

variable "performance_insights_enabled" {
  description = "Record Performance Insights, encrypted, on every instance."
  type        = bool
  default     = true
  nullable    = false
}

variable "performance_insights_retention_days" {
  description = "Days that Performance Insights are kept: 7 (free), 731, or a multiple of 31."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = contains([7, 731], var.performance_insights_retention_days) || (var.performance_insights_retention_days % 31 == 0 && var.performance_insights_retention_days > 0 && var.performance_insights_retention_days <= 713)
    error_message = "performance_insights_retention_days must be 7, 731, or a multiple of 31 up to 713."
  }
}

variable "enhanced_monitoring_seconds" {
  description = "Interval of enhanced monitoring in seconds; 0 turns it off."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = contains([0, 1, 5, 10, 15, 30, 60], var.enhanced_monitoring_seconds)
    error_message = "enhanced_monitoring_seconds must be 0, 1, 5, 10, 15, 30 or 60."
  }
}

variable "backup_retention_days" {
  description = "Days that the cluster's own continuous backups are kept."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.backup_retention_days >= 1 && var.backup_retention_days <= 35
    error_message = "backup_retention_days must be from 1 to 35."
  }
}

variable "deletion_protection" {
  description = "Refuse to delete the cluster until this is turned off."
  type        = bool
  default     = true
  nullable    = false
}

variable "skip_final_snapshot" {
  description = "Delete the cluster without a last snapshot."
  type        = bool
  default     = false
  nullable    = false
}

variable "snapshot_identifier" {
  description = "Snapshot that a new cluster begins with; null begins with an empty database. A cluster that exists does not take one."
  type        = string
  default     = null

  validation {
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9:-]{0,254}$", coalesce(var.snapshot_identifier, "none"))) || can(regex("^arn:[a-z-]+:rds:", coalesce(var.snapshot_identifier, "none")))
    error_message = "snapshot_identifier must be the identifier or the ARN of a cluster snapshot."
  }
}

variable "allow_major_version_upgrade" {
  description = "Let a change of engine_version take the cluster to another major, at once: it is away for minutes."
  type        = bool
  default     = false
  nullable    = false
}

variable "apply_immediately" {
  description = "Apply changes that interrupt the service at once instead of in the maintenance window."
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

variable "storage_kms_key_arn" {
  description = "KMS key that encrypts the cluster and its snapshots. They outlive the cluster, so the key must outlive it, too; null uses the key that AWS manages."
  type        = string
  default     = null

  validation {
    condition     = var.storage_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.storage_kms_key_arn))
    error_message = "storage_kms_key_arn must be the ARN of a KMS key, not of an alias."
  }
}

variable "kms_key_arn" {
  description = "KMS key that encrypts the master secret, Performance Insights and the logs, which go with the cluster; null uses the keys that AWS manages."
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
