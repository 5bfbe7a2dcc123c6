name                 = "test"
function_names       = { get = "test-get", post = "test-post", delete = "test-delete" }
rest_api_name        = "test"
stage_name           = "v1"
cluster_identifier   = "test"
proxy_name           = "test"
log_group_names      = ["/aws/lambda/test-get", "/aws/lambda/test-post", "/aws/lambda/test-delete"]
alarm_emails         = ["someone@example.org", "someone.else@example.org"]
latency_threshold_ms = 500
trace_sampling_rate  = 1
kms_key_arn          = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
tags                 = { Owner = "someone" }
