name           = "test"
function_names = { get = "test-get", post = "test-post", delete = "test-delete" }
invoke_arns = {
  get    = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:test-get:live/invocations"
  post   = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:test-post:live/invocations"
  delete = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:test-delete:live/invocations"
}
stage_name               = "production"
authorization            = "AWS_IAM"
throttling_rate_limit    = 10
throttling_burst_limit   = 20
cache_enabled            = true
cache_size_gb            = "1.6"
cache_ttl_seconds        = 60
kms_key_arn              = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
permissions_boundary_arn = "arn:aws:iam::123456789012:policy/test-workload-boundary"
tags                     = { Owner = "someone" }
