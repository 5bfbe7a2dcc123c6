name          = "test"
resource_arns = ["arn:aws:rds:eu-west-1:123456789012:cluster:test"]
