name                     = "test"
vpc_id                   = "vpc-0123456789abcdef0"
subnet_ids               = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
artifact_path            = "tests/fixtures/stale.zip"
expected_source_digest   = "0000000000000000000000000000000000000000000000000000000000000000"
architecture             = "x86_64"
environment              = { DB_HOST = "db.example.org", DB_NAME = "animals", DB_USERNAME = "lambda_iam" }
database_connect_arns    = ["arn:aws:rds-db:eu-west-1:123456789012:dbuser:prx-0123456789abcdef0/lambda_iam"]
provisioned_concurrency  = 2
reserved_concurrency     = 20
deployment_strategy      = "canary"
deployment_alarm_names   = ["test-api-5xx"]
log_level                = "DEBUG"
kms_key_arn              = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
permissions_boundary_arn = "arn:aws:iam::123456789012:policy/test-workload-boundary"
tags                     = { Owner = "someone" }
