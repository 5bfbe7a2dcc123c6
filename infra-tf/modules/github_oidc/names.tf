# The names of everything that CI may touch, written out. A pattern like NAME-* would reach the environment NAME-2, too;
# where a star stands, what is before it ends the environment's name.
locals {
  functions    = ["get", "post", "delete"]
  policy_names = ["data", "edge", "functions", "iam", "network", "pass", "read", "test", "watch"]

  # With a version or an alias, and without.
  function_arns = flatten([for function in local.functions : [
    for end in ["", ":*"] : "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.name}-${function}${end}"
  ]])

  workload_role_arns = [
    for role in ["api-gateway-logs", "backup", "codedeploy", "db-monitoring", "db-proxy-role", "ec2-role", "flow-logs", "lambda-role"] :
    "arn:${local.partition}:iam::${local.account}:role/${var.name}-${role}"
  ]
  ci_role_arns         = [for role in [local.deploy_role_name, local.test_role_name] : "arn:${local.partition}:iam::${local.account}:role/${role}"]
  policy_arns          = concat([local.boundary_arn], [for policy in local.policy_names : "arn:${local.partition}:iam::${local.account}:policy/${var.name}-ci-${policy}"])
  instance_profile_arn = "arn:${local.partition}:iam::${local.account}:instance-profile/${var.name}-ec2-role"

  # An instance is the cluster's name and a number of one or two digits; a group has its major version, a last snapshot
  # eight characters that are drawn.
  database_names = [
    "cluster:${var.name}", "subgrp:${var.name}", "db:${var.name}-?", "db:${var.name}-??",
    "cluster-pg:${var.name}-aurora-postgresql??", "cluster-snapshot:${var.name}-final-????????",
  ]

  log_groups = concat(
    [for function in local.functions : "/aws/lambda/${var.name}-${function}"],
    ["/aws/apigateway/${var.name}/access", "/aws/rds/cluster/${var.name}/postgresql", "/aws/rds/proxy/${var.name}-????????", "/vpc/${var.name}/flow-logs", "aws-waf-logs-${var.name}"],
    ["API-Gateway-Execution-Logs_${var.rest_api_id}/*"],
  )
  log_group_arns = flatten([for group in local.log_groups : [
    for end in ["", ":*"] : "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${group}${end}"
  ]])

  alarms = concat(
    flatten([for function in local.functions : [for alarm in ["duration", "errors", "throttles"] : "${function}-${alarm}"]]),
    ["api-5xx", "api-latency", "database-capacity", "database-deadlocks", "database-replica-lag", "proxy-borrow-latency", "proxy-pinned"],
  )
  alarm_arns = [for alarm in local.alarms : "arn:${local.partition}:cloudwatch:${local.region}:${local.account}:alarm:${var.name}-${alarm}"]

  topic_arn   = "arn:${local.partition}:sns:${local.region}:${local.account}:${var.name}-alarms"
  vault_arn   = "arn:${local.partition}:backup:${local.region}:${local.account}:backup-vault:${var.name}"
  web_acl_arn = "arn:${local.partition}:wafv2:${local.region}:${local.account}:regional/webacl/${var.name}/*"
  api_arn     = "arn:${local.partition}:apigateway:${local.region}::/restapis/${var.rest_api_id}"
  codedeploy_arns = concat(
    ["arn:${local.partition}:codedeploy:${local.region}:${local.account}:application:${var.name}"],
    ["arn:${local.partition}:codedeploy:${local.region}:${local.account}:deploymentgroup:${var.name}/*"],
  )

  # The observability module shortens the name in the same way: X-Ray takes 32 characters.
  trace_name = length(var.name) <= 32 ? var.name : "${substr(var.name, 0, 23)}-${substr(sha256(var.name), 0, 8)}"

  # Two keys at most: what goes with the project, and what outlives it.
  kms_key_arns = compact([var.kms_key_enabled ? var.kms_key_arn : null, var.database_kms_key_arn])

  state_key = "${var.state_key_prefix}/terraform.tfstate"
}
