name                     = "test"
availability_zone_count  = 3
nat_mode                 = "per_az"
interface_endpoints      = ["ssm", "ssmmessages", "ec2messages", "logs", "xray", "secretsmanager", "ecr.api"]
flow_logs_traffic_type   = "REJECT"
kms_key_arn              = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
permissions_boundary_arn = "arn:aws:iam::123456789012:policy/test-workload-boundary"
tags                     = { Owner = "someone" }
