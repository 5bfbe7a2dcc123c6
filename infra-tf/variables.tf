variable "region" {
  description = "AWS region of everything."
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
}

variable "environment" {
  description = "Second part of every name: dev, staging, production or any other."
  type        = string
  default     = "dev"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]+(-[a-z0-9]+)*$", var.environment)) && length(var.environment) <= 12
    error_message = "environment must be lower-case letters, digits and single hyphens, at most 12 characters long."
  }
}

variable "tags" {
  description = "Tags on every resource, beside Project, Environment and ManagedBy."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "create_kms_key" {
  description = "Encrypt what goes with the project (logs, secret, variables, alarms) with a key of its own; false uses the keys that AWS manages."
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

variable "vpc_cidr_block" {
  description = "IPv4 range of the VPC, /16 to /24."
  type        = string
  default     = "10.20.0.0/16"
  nullable    = false

  validation {
    condition     = can(cidrhost(var.vpc_cidr_block, 0))
    error_message = "vpc_cidr_block must be an IPv4 CIDR block, like 10.20.0.0/16."
  }
}

variable "availability_zone_count" {
  description = "Number of availability zones, 2 or 3."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = contains([2, 3], var.availability_zone_count)
    error_message = "availability_zone_count must be 2 or 3."
  }
}

variable "exclude_zone_ids" {
  description = "Availability zones, by id, that lack a service of this deployment (Lambda, RDS Proxy or Graviton)."
  type        = set(string)
  default     = ["use1-az3"]
  nullable    = false

  validation {
    condition     = alltrue([for zone in var.exclude_zone_ids : can(regex("^[a-z0-9]+-az[0-9]+$", zone))])
    error_message = "exclude_zone_ids must hold ids of zones, like use1-az3, and not names, like us-east-1a: each account has its own letters."
  }
}

variable "nat_mode" {
  description = "NAT gateways: none (VPC endpoints instead), single or per_az."
  type        = string
  default     = "none"
  nullable    = false

  validation {
    condition     = contains(["none", "single", "per_az"], var.nat_mode)
    error_message = "nat_mode must be none, single or per_az."
  }
}

variable "vpc_interface_endpoints" {
  description = "AWS services reached through interface endpoints; the default is what the bastion needs without NAT."
  type        = set(string)
  default     = ["ssm", "ssmmessages", "ec2messages"]
  nullable    = false

  validation {
    condition     = var.nat_mode != "none" || !var.bastion_enabled || length(setsubtract(["ssm", "ssmmessages", "ec2messages"], var.vpc_interface_endpoints)) == 0
    error_message = "vpc_interface_endpoints must include ssm, ssmmessages and ec2messages while the bastion is on and nat_mode is none: Session Manager has no other way."
  }
}

variable "vpc_flow_logs_enabled" {
  description = "Record the traffic of the VPC."
  type        = bool
  default     = true
  nullable    = false
}

variable "database_engine_version" {
  description = "Aurora PostgreSQL version: a major, whose minor versions AWS brings by itself, or a full one, which is changed here only."
  type        = string
  default     = "17"
  nullable    = false

  validation {
    condition     = can(regex("^1[6-9](\\.[0-9]+)?$", var.database_engine_version))
    error_message = "database_engine_version must be an Aurora PostgreSQL version from 16 on, like 17 or 17.5."
  }
}

variable "database_name" {
  description = "Database that the cluster creates."
  type        = string
  default     = "animals"
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9_]{0,62}$", var.database_name))
    error_message = "database_name must start with a letter and hold at most 63 letters, digits and underscores."
  }
}

variable "database_master_username" {
  description = "Name of the master user."
  type        = string
  default     = "postgres"
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z][a-zA-Z0-9_]{0,62}$", var.database_master_username))
    error_message = "database_master_username must start with a letter and hold letters, digits and underscores."
  }
}

variable "database_iam_username" {
  description = "Database user of the functions, made by cargo xtask bootstrap --target aurora."
  type        = string
  default     = "lambda_iam"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z_][a-z0-9_]{0,62}$", var.database_iam_username)) && var.database_iam_username != var.database_master_username
    error_message = "database_iam_username must be a lower-case identifier other than database_master_username."
  }
}

variable "database_secret_rotation_days" {
  description = "Days after which RDS rotates the master password."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.database_secret_rotation_days >= 1 && var.database_secret_rotation_days <= 90
    error_message = "database_secret_rotation_days must be from 1 to 90."
  }
}

variable "database_min_capacity" {
  description = "Smallest capacity in ACU; 0 pauses an idle cluster and needs database_proxy_enabled = false."
  type        = number
  default     = 0.5
  nullable    = false

  validation {
    condition     = var.database_min_capacity >= 0 && var.database_min_capacity <= 256 && !(var.database_min_capacity == 0 && var.database_proxy_enabled)
    error_message = "database_min_capacity must be from 0 to 256, and 0 needs database_proxy_enabled = false: the proxy would keep the cluster awake."
  }
}

variable "database_max_capacity" {
  description = "Largest capacity in ACU."
  type        = number
  default     = 4
  nullable    = false

  validation {
    condition     = var.database_max_capacity >= max(1, var.database_min_capacity) && var.database_max_capacity <= 256
    error_message = "database_max_capacity must be from 1 to 256 and not below database_min_capacity."
  }
}

variable "database_reader_count" {
  description = "Readers beside the writer."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.database_reader_count >= 0 && var.database_reader_count <= 15 && floor(var.database_reader_count) == var.database_reader_count
    error_message = "database_reader_count must be a whole number from 0 to 15."
  }
}

variable "database_proxy_enabled" {
  description = "Put RDS Proxy before the cluster."
  type        = bool
  default     = true
  nullable    = false

  # An artifact without the digest of its sources comes from elsewhere and is taken as it is.
  validation {
    condition     = var.database_proxy_enabled || !var.lambda_check_sources || !fileexists("${local.lambda_artifact_path}.sources") || fileexists("${path.root}/rds-ca-bundle.pem")
    error_message = "Without the proxy the functions meet RDS's own certificates, and the artifact has no authorities to check them by: get https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem, and cargo xtask lambda build --ca-bundle global-bundle.pem"
  }
}

variable "database_performance_insights_enabled" {
  description = "Record Performance Insights."
  type        = bool
  default     = true
  nullable    = false
}

variable "database_performance_insights_retention_days" {
  description = "Days that Performance Insights are kept: 7 (free), 731, or a multiple of 31."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = contains([7, 731], var.database_performance_insights_retention_days) || var.database_performance_insights_retention_days % 31 == 0
    error_message = "database_performance_insights_retention_days must be 7, 731, or a multiple of 31."
  }
}

variable "database_backup_retention_days" {
  description = "Days that the continuous backups of the cluster are kept."
  type        = number
  default     = 7
  nullable    = false

  validation {
    condition     = var.database_backup_retention_days >= 1 && var.database_backup_retention_days <= 35
    error_message = "database_backup_retention_days must be from 1 to 35."
  }
}

variable "database_deletion_protection" {
  description = "Refuse to delete the cluster."
  type        = bool
  default     = true
  nullable    = false
}

variable "database_skip_final_snapshot" {
  description = "Delete the cluster without a last snapshot."
  type        = bool
  default     = false
  nullable    = false
}

variable "database_snapshot_identifier" {
  description = "Snapshot that a new cluster begins with; take it out once it has. A cluster that exists does not take one."
  type        = string
  default     = null
}

variable "database_allow_major_version_upgrade" {
  description = "Let a change of database_engine_version take the cluster to another major, at once: it is away for minutes."
  type        = bool
  default     = false
  nullable    = false
}

variable "database_apply_immediately" {
  description = "Apply changes that interrupt the database at once instead of in the maintenance window."
  type        = bool
  default     = false
  nullable    = false
}

variable "database_kms_key_arn" {
  description = "KMS key of the database and its snapshots, which outlive this deployment, so it must not be made here (bootstrap/ can make it); null uses the keys that AWS manages."
  type        = string
  default     = null

  validation {
    condition     = var.database_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.database_kms_key_arn))
    error_message = "database_kms_key_arn must be the ARN of a KMS key, not of an alias."
  }
}

variable "lambda_artifact_path" {
  description = "Zip with the bootstrap binary; null means target/lambda/pgapp-lambda-ARCHITECTURE.zip, where cargo xtask lambda build puts it."
  type        = string
  default     = null

  validation {
    condition     = var.lambda_artifact_path == null || try(fileexists(var.lambda_artifact_path), false)
    error_message = "The Lambda artifact does not exist. Build it with: cargo xtask lambda build"
  }
}

variable "lambda_check_sources" {
  description = "Stop the plan where the artifact was built from other sources than those checked out."
  type        = bool
  default     = true
  nullable    = false
}

variable "lambda_architecture" {
  description = "Processor of the functions: arm64 or x86_64."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.lambda_architecture)
    error_message = "lambda_architecture must be arm64 or x86_64."
  }
}

variable "lambda_memory_mb" {
  description = "Memory of each function in MB."
  type        = number
  default     = 256
  nullable    = false

  validation {
    condition     = var.lambda_memory_mb >= 128 && var.lambda_memory_mb <= 10240
    error_message = "lambda_memory_mb must be from 128 to 10240."
  }
}

variable "lambda_timeout_seconds" {
  description = "Deadline of one invocation in seconds."
  type        = number
  default     = 28
  nullable    = false

  validation {
    condition     = var.lambda_timeout_seconds >= 1 && var.lambda_timeout_seconds <= 29
    error_message = "lambda_timeout_seconds must be from 1 to 29: API Gateway does not wait longer."
  }
}

variable "lambda_log_level" {
  description = "Least severe log lines that are kept."
  type        = string
  default     = "INFO"
  nullable    = false

  validation {
    condition     = contains(["TRACE", "DEBUG", "INFO", "WARN", "ERROR"], var.lambda_log_level)
    error_message = "lambda_log_level must be TRACE, DEBUG, INFO, WARN or ERROR."
  }
}

variable "lambda_provisioned_concurrency" {
  description = "Instances kept warm per function."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.lambda_provisioned_concurrency >= 0 && floor(var.lambda_provisioned_concurrency) == var.lambda_provisioned_concurrency
    error_message = "lambda_provisioned_concurrency must be a whole number from 0 on."
  }
}

variable "lambda_reserved_concurrency" {
  description = "Most concurrent instances per function; -1 shares the limit of the account, which in a new account is too low to reserve any."
  type        = number
  default     = -1
  nullable    = false

  validation {
    condition     = var.lambda_reserved_concurrency == -1 || var.lambda_reserved_concurrency >= max(1, var.lambda_provisioned_concurrency)
    error_message = "lambda_reserved_concurrency must be -1, or at least 1 and at least lambda_provisioned_concurrency."
  }
}

variable "deployment_strategy" {
  description = "How a new version takes over: all_at_once (Terraform), canary, linear or blue_green (CodeDeploy, rolled back on alarms)."
  type        = string
  default     = "all_at_once"
  nullable    = false

  validation {
    condition     = contains(["all_at_once", "canary", "linear", "blue_green"], var.deployment_strategy)
    error_message = "deployment_strategy must be all_at_once, canary, linear or blue_green."
  }
}

variable "verify_after_deployment" {
  description = "Let the pipeline test the deployed API after each apply."
  type        = bool
  default     = true
  nullable    = false
}

variable "api_stage_name" {
  description = "Stage of the API, the first part of every path."
  type        = string
  default     = "v1"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,128}$", var.api_stage_name))
    error_message = "api_stage_name must hold letters, digits, underscores and hyphens."
  }
}

variable "api_authorization" {
  description = "Who may call: NONE (everyone, throttled) or AWS_IAM."
  type        = string
  default     = "NONE"
  nullable    = false

  validation {
    condition     = contains(["NONE", "AWS_IAM"], var.api_authorization)
    error_message = "api_authorization must be NONE or AWS_IAM."
  }
}

variable "api_throttling_rate_limit" {
  description = "Requests per second on average."
  type        = number
  default     = 50
  nullable    = false

  validation {
    condition     = var.api_throttling_rate_limit > 0
    error_message = "api_throttling_rate_limit must be greater than 0."
  }
}

variable "api_throttling_burst_limit" {
  description = "Requests at once."
  type        = number
  default     = 100
  nullable    = false

  validation {
    condition     = var.api_throttling_burst_limit > 0
    error_message = "api_throttling_burst_limit must be greater than 0."
  }
}

variable "api_cache_enabled" {
  description = "Cache the answers of GET /animals, paid by the hour."
  type        = bool
  default     = false
  nullable    = false
}

variable "api_cache_size_gb" {
  description = "Size of the cache in GB."
  type        = string
  default     = "0.5"
  nullable    = false

  validation {
    condition     = contains(["0.5", "1.6", "6.1", "13.5", "28.4", "58.2", "118", "237"], var.api_cache_size_gb)
    error_message = "api_cache_size_gb must be 0.5, 1.6, 6.1, 13.5, 28.4, 58.2, 118 or 237."
  }
}

variable "api_cache_ttl_seconds" {
  description = "Seconds that a cached answer stays valid."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.api_cache_ttl_seconds >= 1 && var.api_cache_ttl_seconds <= 3600
    error_message = "api_cache_ttl_seconds must be from 1 to 3600."
  }
}

variable "api_manage_account_logging" {
  description = "Set the logging role of API Gateway, of which there is one per account and region; false where another environment owns it."
  type        = bool
  default     = true
  nullable    = false
}

variable "bastion_enabled" {
  description = "Make the bastion, by which people and the bootstrap reach the database."
  type        = bool
  default     = true
  nullable    = false
}

variable "bastion_instance_type" {
  description = "Graviton instance type of the bastion."
  type        = string
  default     = "t4g.nano"
  nullable    = false

  validation {
    condition     = can(regex("^(a1|[a-z]+[0-9]+g[a-z]*)\\.[a-z0-9]+$", var.bastion_instance_type))
    error_message = "bastion_instance_type must be a Graviton type, like t4g.nano."
  }
}

variable "github_repository" {
  description = "Repository whose workflows deploy, as owner/name; null makes no CI roles."
  type        = string
  default     = null

  validation {
    condition     = var.github_repository == null || can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "github_repository must be owner/name, without wildcards."
  }
}

variable "github_owner_id" {
  description = "Number of the repository's owner, where GitHub sends immutable subjects (repositories made, renamed or moved since 2026-07-15); null where it sends names only."
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
  description = "GitHub environment whose jobs may apply; let it admit the branch main only."
  type        = string
  default     = "production"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]+$", var.github_environment))
    error_message = "github_environment must be a plain name."
  }
}

variable "github_create_oidc_provider" {
  description = "Make the OIDC provider of GitHub, of which there is one per account; false where another environment owns it."
  type        = bool
  default     = true
  nullable    = false
}

variable "state_bucket_name" {
  description = "Bucket of the Terraform state, made by bootstrap/, that the CI roles may use."
  type        = string
  default     = null

  validation {
    condition     = var.state_bucket_name == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.state_bucket_name))
    error_message = "state_bucket_name must be the name of an S3 bucket."
  }
}

variable "state_kms_key_arn" {
  description = "Key that encrypts the state bucket, an output of bootstrap/."
  type        = string
  default     = null

  validation {
    condition     = var.state_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:", var.state_kms_key_arn))
    error_message = "state_kms_key_arn must be the ARN of a KMS key."
  }
}

variable "state_key_prefix" {
  description = "Folder in the state bucket with this environment's terraform.tfstate; null means infra-tf/ENVIRONMENT."
  type        = string
  default     = null

  validation {
    condition     = var.state_key_prefix == null || can(regex("^[A-Za-z0-9_./-]*[A-Za-z0-9_-]$", var.state_key_prefix))
    error_message = "state_key_prefix must be a path without wildcards and without a slash at its end."
  }
}

variable "dashboard_enabled" {
  description = "Make the CloudWatch dashboard."
  type        = bool
  default     = true
  nullable    = false
}

variable "alarms_enabled" {
  description = "Make the alarms and their topic."
  type        = bool
  default     = true
  nullable    = false

  validation {
    condition     = var.alarms_enabled || var.deployment_strategy == "all_at_once"
    error_message = "alarms_enabled must stay on while CodeDeploy deploys: its rollback listens to the alarms."
  }
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

variable "alarm_latency_threshold_ms" {
  description = "Latency (p99, in ms) from which an alarm is raised."
  type        = number
  default     = 2000
  nullable    = false

  validation {
    condition     = var.alarm_latency_threshold_ms > 0
    error_message = "alarm_latency_threshold_ms must be greater than 0."
  }
}

variable "tracing_enabled" {
  description = "Record traces in X-Ray."
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

variable "waf_enabled" {
  description = "Put a web ACL before the API."
  type        = bool
  default     = true
  nullable    = false
}

variable "waf_rate_limit" {
  description = "Requests in five minutes from one address before it is blocked."
  type        = number
  default     = 2000
  nullable    = false

  validation {
    condition     = var.waf_rate_limit >= 10
    error_message = "waf_rate_limit must be at least 10."
  }
}

variable "waf_count_only" {
  description = "Count what the managed rules match instead of blocking it."
  type        = bool
  default     = false
  nullable    = false
}

variable "backup_enabled" {
  description = "Make daily and monthly snapshots with AWS Backup."
  type        = bool
  default     = true
  nullable    = false
}

variable "backup_daily_retention_days" {
  description = "Days that daily snapshots are kept."
  type        = number
  default     = 35
  nullable    = false

  validation {
    condition     = var.backup_daily_retention_days >= 1
    error_message = "backup_daily_retention_days must be at least 1."
  }
}

variable "backup_monthly_retention_days" {
  description = "Days that monthly snapshots are kept; 0 makes none."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = var.backup_monthly_retention_days == 0 || var.backup_monthly_retention_days > var.backup_daily_retention_days
    error_message = "backup_monthly_retention_days must be 0 or more than backup_daily_retention_days."
  }
}

variable "backup_copy_to_vault_arn" {
  description = "Vault in another region or account that snapshots are copied to; another account needs database_kms_key_arn, shared with it."
  type        = string
  default     = null

  validation {
    condition     = var.backup_copy_to_vault_arn == null || can(regex("^arn:[a-z-]+:backup:", var.backup_copy_to_vault_arn))
    error_message = "backup_copy_to_vault_arn must be the ARN of a backup vault."
  }
}

variable "backup_vault_lock_enabled" {
  description = "Refuse to delete snapshots before their time."
  type        = bool
  default     = true
  nullable    = false
}
