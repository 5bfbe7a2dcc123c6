name          = "test"
resource_arns = { api = "arn:aws:apigateway:eu-west-1::/restapis/abcdefghij/stages/v1" }
rate_limit    = 500
count_only    = true
kms_key_arn   = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
tags          = { Owner = "someone" }
