# Every module, with every protection and every option of the operations list turned on.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  name  = "animals-complete"
  tags  = { Project = local.name }
  vault = "arn:${data.aws_partition.current.partition}:backup:eu-central-1:${data.aws_caller_identity.current.account_id}:backup-vault:${local.name}"
}

module "network" {
  source = "../../modules/network"

  name                     = local.name
  availability_zone_count  = 3
  nat_mode                 = "per_az"
  interface_endpoints      = ["ssm", "ssmmessages", "ec2messages", "logs", "secretsmanager"]
  permissions_boundary_arn = module.github_oidc.permissions_boundary_arn
  tags                     = local.tags
}

module "database" {
  source = "../../modules/database"

  name       = local.name
  vpc_id     = module.network.vpc_id
  subnet_ids = module.network.private_subnet_ids
  client_security_group_ids = {
    lambda  = module.lambda.security_group_id
    bastion = module.bastion.security_group_id
  }
  direct_clients                      = ["bastion"]
  max_capacity                        = 16
  reader_count                        = 2
  performance_insights_retention_days = 93
  backup_retention_days               = 35
  deletion_protection                 = var.deletion_protection
  permissions_boundary_arn            = module.github_oidc.permissions_boundary_arn
  tags                                = local.tags
}

module "lambda" {
  source = "../../modules/lambda"

  name          = local.name
  vpc_id        = module.network.vpc_id
  subnet_ids    = module.network.private_subnet_ids
  artifact_path = var.lambda_artifact_path
  environment = {
    DB_HOST     = module.database.client_host
    DB_PORT     = tostring(module.database.client_port)
    DB_NAME     = module.database.database_name
    DB_USERNAME = module.database.iam_username
  }
  database_connect_arns    = [module.database.client_connect_arn]
  provisioned_concurrency  = 2
  deployment_strategy      = "canary"
  deployment_alarm_names   = module.observability.deployment_alarm_names
  permissions_boundary_arn = module.github_oidc.permissions_boundary_arn
  tags                     = local.tags
}

module "api_gateway" {
  source = "../../modules/api_gateway"

  name                     = local.name
  invoke_arns              = module.lambda.alias_invoke_arns
  function_names           = module.lambda.function_names
  function_alias           = module.lambda.alias_name
  cache_enabled            = true
  permissions_boundary_arn = module.github_oidc.permissions_boundary_arn
  tags                     = local.tags
}

module "bastion" {
  source = "../../modules/bastion"

  name                     = local.name
  vpc_id                   = module.network.vpc_id
  subnet_id                = module.network.private_subnet_ids[0]
  nat_enabled              = true
  permissions_boundary_arn = module.github_oidc.permissions_boundary_arn
  tags                     = local.tags
}

module "github_oidc" {
  source = "../../modules/github_oidc"

  name              = local.name
  github_repository = "example/postgres-as-app"
  project_tag       = local.name
  state_bucket_name = "animals-complete-state"
  rest_api_id       = module.api_gateway.rest_api_id
  tags              = local.tags
}

module "observability" {
  source = "../../modules/observability"

  name               = local.name
  function_names     = { for function in ["get", "post", "delete"] : function => "${local.name}-${function}" }
  rest_api_name      = local.name
  stage_name         = "v1"
  cluster_identifier = local.name
  proxy_name         = module.database.proxy_name
  log_group_names    = values(module.lambda.log_group_names)
  alarm_emails       = ["operations@example.org"]
  tags               = local.tags
}

module "waf" {
  source = "../../modules/waf"

  name          = local.name
  resource_arns = { api = module.api_gateway.stage_arn }
  tags          = local.tags
}

module "backup" {
  source = "../../modules/backup"

  name                     = local.name
  resource_arns            = [module.database.cluster_arn]
  copy_to_vault_arn        = local.vault
  permissions_boundary_arn = module.github_oidc.permissions_boundary_arn
  tags                     = local.tags
}
