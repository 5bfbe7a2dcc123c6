# The version to ask for. Whatever is asked for is sent along with every change of the cluster, and AWS takes a bare major
# for its default minor version: once the cluster runs a later one, each change would be refused as a downgrade. So the
# version that runs is asked for, unless another major or a later minor is wanted.

data "aws_rds_clusters" "all" {}

data "aws_rds_cluster" "running" {
  count = contains(data.aws_rds_clusters.all.cluster_identifiers, var.name) ? 1 : 0

  cluster_identifier = var.name
}

# A cluster that begins with a snapshot runs no earlier version than what was saved.
data "aws_db_cluster_snapshot" "first" {
  count = var.snapshot_identifier == null ? 0 : 1

  db_cluster_snapshot_identifier = var.snapshot_identifier
}

# What AWS makes of a bare major in a new cluster.
data "aws_rds_engine_version" "wanted" {
  engine       = "aurora-postgresql"
  version      = var.engine_version
  default_only = local.follows_minors ? true : null
}

locals {
  major_version = split(".", var.engine_version)[0]
  # A bare major: AWS brings its minor versions in the maintenance window. A full version is changed here only.
  follows_minors = !strcontains(var.engine_version, ".")

  running_version = try([
    for version in concat(data.aws_rds_cluster.running[*].engine_version, data.aws_db_cluster_snapshot.first[*].engine_version) :
    version if startswith(version, "${local.major_version}.")
  ][0], null)
  wanted_minor   = local.follows_minors ? 0 : tonumber(split(".", var.engine_version)[1])
  running_minor  = try(tonumber(split(".", local.running_version)[1]), -1)
  engine_version = local.running_minor >= local.wanted_minor ? local.running_version : data.aws_rds_engine_version.wanted.version_actual
}
