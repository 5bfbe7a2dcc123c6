name           = "test"
function_names = { get = "test-get", post = "test-post", delete = "test-delete" }
invoke_arns = {
  get    = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:test-get:live/invocations"
  post   = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:test-post:live/invocations"
  delete = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:test-delete:live/invocations"
}
