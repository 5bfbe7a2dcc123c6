name               = "test"
function_names     = { get = "test-get", post = "test-post", delete = "test-delete" }
rest_api_name      = "test"
stage_name         = "v1"
cluster_identifier = "test"
