name                     = "test"
resource_arns            = ["arn:aws:rds:eu-west-1:123456789012:cluster:test"]
daily_retention_days     = 14
monthly_retention_days   = 400
copy_to_vault_arn        = "arn:aws:backup:eu-central-1:123456789012:backup-vault:away"
kms_key_arn              = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
permissions_boundary_arn = "arn:aws:iam::123456789012:policy/test-workload-boundary"
tags                     = { Owner = "someone" }
