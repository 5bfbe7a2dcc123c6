name                                = "test"
vpc_id                              = "vpc-0123456789abcdef0"
subnet_ids                          = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
client_security_group_ids           = { lambda = "sg-0123456789abcdef0", bastion = "sg-0123456789abcdef1" }
direct_clients                      = ["bastion"]
engine_version                      = "17.5"
port                                = 5433
max_capacity                        = 16
reader_count                        = 2
performance_insights_retention_days = 93
master_secret_rotation_days         = 30
backup_retention_days               = 35
deletion_protection                 = false
apply_immediately                   = true
kms_key_arn                         = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
permissions_boundary_arn            = "arn:aws:iam::123456789012:policy/test-workload-boundary"
tags                                = { Owner = "someone" }
allow_major_version_upgrade         = true
storage_kms_key_arn                 = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000001"
