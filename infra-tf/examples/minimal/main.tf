# The modules on their own, without the root: a private network, a database that pauses when idle, the functions, the API,
# and the bastion by which table and user are made. No proxy, no NAT, no key of its own; about the least that runs.

locals {
  name = "animals-minimal"
}

module "network" {
  source = "../../modules/network"

  name                = local.name
  interface_endpoints = var.bastion_enabled ? ["ssm", "ssmmessages", "ec2messages"] : []
  flow_logs_enabled   = false
}

module "database" {
  source = "../../modules/database"

  name       = local.name
  vpc_id     = module.network.vpc_id
  subnet_ids = module.network.private_subnet_ids
  client_security_group_ids = merge(
    { lambda = module.lambda.security_group_id },
    { for index, bastion in module.bastion : "bastion" => bastion.security_group_id },
  )
  proxy_enabled               = false
  min_capacity                = 0
  max_capacity                = 1
  reader_count                = 0
  enhanced_monitoring_seconds = 0
  deletion_protection         = false
  skip_final_snapshot         = true
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
  database_connect_arns = [module.database.client_connect_arn]
}

module "api_gateway" {
  source = "../../modules/api_gateway"

  name           = local.name
  invoke_arns    = module.lambda.alias_invoke_arns
  function_names = module.lambda.function_names
  function_alias = module.lambda.alias_name
}

module "bastion" {
  source = "../../modules/bastion"
  count  = var.bastion_enabled ? 1 : 0

  name                        = local.name
  vpc_id                      = module.network.vpc_id
  subnet_id                   = module.network.private_subnet_ids[0]
  endpoints_security_group_id = module.network.endpoints_security_group_id
}
