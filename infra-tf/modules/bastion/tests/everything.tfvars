name                     = "test"
vpc_id                   = "vpc-0123456789abcdef0"
subnet_id                = "subnet-0123456789abcdef0"
nat_enabled              = true
instance_type            = "t4g.small"
root_volume_gb           = 16
kms_key_arn              = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
permissions_boundary_arn = "arn:aws:iam::123456789012:policy/test-workload-boundary"
tags                     = { Owner = "someone" }
