locals {
  name = "${var.project}-${var.environment}"
  tags = merge(var.tags, { Project = local.name, Environment = var.environment, ManagedBy = "terraform" })

  state_key_prefix = coalesce(var.state_key_prefix, "infra-tf/${var.environment}")

  kms_key_arn  = var.create_kms_key ? aws_kms_key.this[0].arn : null
  boundary_arn = var.github_repository == null ? null : module.github_oidc[0].permissions_boundary_arn

  # The same digest that `sha256sum` makes of its own listing; `cargo xtask lambda build` writes it beside the artifact.
  lambda_sources = var.lambda_check_sources ? sort(concat(
    tolist(fileset("${path.root}/..", "{api,pg-wire-client}/src/**/*.{html,rs,sql}")),
    [for file in ["Cargo.lock", "Cargo.toml", "api/Cargo.toml", "pg-wire-client/Cargo.toml", "infra-tf/rds-ca-bundle.pem"] : file if fileexists("${path.root}/../${file}")],
  )) : []
  lambda_source_digest = length(local.lambda_sources) == 0 ? null : sha256(join("", [
    for file in local.lambda_sources : "${filesha256("${path.root}/../${file}")}  ${file}\n"
  ]))
  lambda_artifact_path = coalesce(var.lambda_artifact_path, "${path.root}/../target/lambda/pgapp-lambda-${var.lambda_architecture}.zip")
}

module "network" {
  source = "./modules/network"

  name                     = local.name
  cidr_block               = var.vpc_cidr_block
  availability_zone_count  = var.availability_zone_count
  exclude_zone_ids         = var.exclude_zone_ids
  nat_mode                 = var.nat_mode
  interface_endpoints      = var.vpc_interface_endpoints
  flow_logs_enabled        = var.vpc_flow_logs_enabled
  log_retention_days       = var.log_retention_days
  kms_key_arn              = local.kms_key_arn
  permissions_boundary_arn = local.boundary_arn
}

module "database" {
  source = "./modules/database"

  name       = local.name
  vpc_id     = module.network.vpc_id
  subnet_ids = module.network.private_subnet_ids
  client_security_group_ids = merge(
    { lambda = module.lambda.security_group_id },
    { for index, bastion in module.bastion : "bastion" => bastion.security_group_id },
  )
  # The bootstrap logs in as the master user, whom the proxy does not know.
  direct_clients = var.bastion_enabled ? ["bastion"] : []

  engine_version                      = var.database_engine_version
  database_name                       = var.database_name
  master_username                     = var.database_master_username
  iam_username                        = var.database_iam_username
  master_secret_rotation_days         = var.database_secret_rotation_days
  min_capacity                        = var.database_min_capacity
  max_capacity                        = var.database_max_capacity
  reader_count                        = var.database_reader_count
  proxy_enabled                       = var.database_proxy_enabled
  performance_insights_enabled        = var.database_performance_insights_enabled
  performance_insights_retention_days = var.database_performance_insights_retention_days
  backup_retention_days               = var.database_backup_retention_days
  deletion_protection                 = var.database_deletion_protection
  skip_final_snapshot                 = var.database_skip_final_snapshot
  snapshot_identifier                 = var.database_snapshot_identifier
  allow_major_version_upgrade         = var.database_allow_major_version_upgrade
  apply_immediately                   = var.database_apply_immediately
  log_retention_days                  = var.log_retention_days
  kms_key_arn                         = local.kms_key_arn
  storage_kms_key_arn                 = var.database_kms_key_arn
  permissions_boundary_arn            = local.boundary_arn
}

module "lambda" {
  source = "./modules/lambda"

  name       = local.name
  vpc_id     = module.network.vpc_id
  subnet_ids = module.network.private_subnet_ids

  artifact_path          = local.lambda_artifact_path
  expected_source_digest = local.lambda_source_digest
  architecture           = var.lambda_architecture
  memory_mb              = var.lambda_memory_mb
  timeout_seconds        = var.lambda_timeout_seconds
  environment = {
    DB_HOST     = module.database.client_host
    DB_PORT     = tostring(module.database.client_port)
    DB_NAME     = module.database.database_name
    DB_USERNAME = module.database.iam_username
    DB_AUTH     = "iam"
    DB_SSLMODE  = "verify-full"
  }
  database_connect_arns = [module.database.client_connect_arn]

  provisioned_concurrency  = var.lambda_provisioned_concurrency
  reserved_concurrency     = var.lambda_reserved_concurrency
  tracing_enabled          = var.tracing_enabled
  log_level                = var.lambda_log_level
  deployment_strategy      = var.deployment_strategy
  deployment_alarm_names   = var.deployment_strategy == "all_at_once" ? [] : module.observability.deployment_alarm_names
  log_retention_days       = var.log_retention_days
  kms_key_arn              = local.kms_key_arn
  permissions_boundary_arn = local.boundary_arn
}

module "api_gateway" {
  source = "./modules/api_gateway"

  name           = local.name
  invoke_arns    = module.lambda.alias_invoke_arns
  function_names = module.lambda.function_names
  function_alias = module.lambda.alias_name

  stage_name               = var.api_stage_name
  authorization            = var.api_authorization
  throttling_rate_limit    = var.api_throttling_rate_limit
  throttling_burst_limit   = var.api_throttling_burst_limit
  cache_enabled            = var.api_cache_enabled
  cache_size_gb            = var.api_cache_size_gb
  cache_ttl_seconds        = var.api_cache_ttl_seconds
  tracing_enabled          = var.tracing_enabled
  manage_account_logging   = var.api_manage_account_logging
  log_retention_days       = var.log_retention_days
  kms_key_arn              = local.kms_key_arn
  permissions_boundary_arn = local.boundary_arn
}

module "bastion" {
  source = "./modules/bastion"
  count  = var.bastion_enabled ? 1 : 0

  name                        = local.name
  vpc_id                      = module.network.vpc_id
  subnet_id                   = module.network.private_subnet_ids[0]
  endpoints_security_group_id = module.network.endpoints_security_group_id
  nat_enabled                 = var.nat_mode != "none"
  instance_type               = var.bastion_instance_type
  kms_key_arn                 = local.kms_key_arn
  permissions_boundary_arn    = local.boundary_arn
}

module "github_oidc" {
  source = "./modules/github_oidc"
  count  = var.github_repository == null ? 0 : 1

  name                  = local.name
  github_repository     = var.github_repository
  github_owner_id       = var.github_owner_id
  github_repository_id  = var.github_repository_id
  github_environment    = var.github_environment
  create_oidc_provider  = var.github_create_oidc_provider
  project_tag           = local.name
  state_bucket_name     = var.state_bucket_name
  state_kms_key_arn     = var.state_kms_key_arn
  state_key_prefix      = local.state_key_prefix
  rest_api_id           = module.api_gateway.rest_api_id
  kms_key_arn           = local.kms_key_arn
  kms_key_enabled       = var.create_kms_key
  database_kms_key_arn  = var.database_kms_key_arn
  database_iam_username = var.database_iam_username
}

module "observability" {
  source = "./modules/observability"

  name                 = local.name
  function_names       = { for function in ["get", "post", "delete"] : function => "${local.name}-${function}" }
  rest_api_name        = local.name
  stage_name           = var.api_stage_name
  cluster_identifier   = local.name
  proxy_name           = module.database.proxy_name
  log_group_names      = concat(values(module.lambda.log_group_names), [module.api_gateway.access_log_group_name])
  dashboard_enabled    = var.dashboard_enabled
  alarms_enabled       = var.alarms_enabled
  alarm_emails         = var.alarm_emails
  latency_threshold_ms = var.alarm_latency_threshold_ms
  tracing_enabled      = var.tracing_enabled
  trace_sampling_rate  = var.trace_sampling_rate
  log_queries_enabled  = var.log_queries_enabled
  kms_key_arn          = local.kms_key_arn
}

module "waf" {
  source = "./modules/waf"
  count  = var.waf_enabled ? 1 : 0

  name               = local.name
  resource_arns      = { api = module.api_gateway.stage_arn }
  rate_limit         = var.waf_rate_limit
  count_only         = var.waf_count_only
  log_retention_days = var.log_retention_days
  kms_key_arn        = local.kms_key_arn
}

module "backup" {
  source = "./modules/backup"
  count  = var.backup_enabled ? 1 : 0

  name                     = local.name
  resource_arns            = [module.database.cluster_arn]
  daily_retention_days     = var.backup_daily_retention_days
  monthly_retention_days   = var.backup_monthly_retention_days
  copy_to_vault_arn        = var.backup_copy_to_vault_arn
  vault_lock_enabled       = var.backup_vault_lock_enabled
  kms_key_arn              = var.database_kms_key_arn
  permissions_boundary_arn = local.boundary_arn
}
