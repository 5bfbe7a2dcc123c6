name                  = "test"
vpc_id                = "vpc-0123456789abcdef0"
subnet_ids            = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
artifact_path         = "tests/fixtures/artifact.zip"
environment           = { DB_HOST = "db.example.org", DB_NAME = "animals", DB_USERNAME = "lambda_iam" }
database_connect_arns = ["arn:aws:rds-db:eu-west-1:123456789012:dbuser:prx-0123456789abcdef0/lambda_iam"]
