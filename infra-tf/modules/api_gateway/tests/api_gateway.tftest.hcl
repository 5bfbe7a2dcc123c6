mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/test" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-1:123456789012:log-group:test" }
  }
  mock_resource "aws_api_gateway_rest_api" {
    defaults = { id = "abc", root_resource_id = "root", execution_arn = "arn:aws:execute-api:eu-west-1:123456789012:abc" }
  }
  mock_resource "aws_api_gateway_resource" {
    defaults = { id = "res" }
  }
  mock_resource "aws_api_gateway_deployment" {
    defaults = { id = "dep" }
  }
}

variables {
  name           = "test"
  function_names = { get = "test-get", post = "test-post", delete = "test-delete" }
  invoke_arns = {
    get    = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/get/invocations"
    post   = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/post/invocations"
    delete = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/delete/invocations"
  }
}

run "first" {
  command = apply

  assert {
    condition     = aws_api_gateway_integration.this["post_collection"].uri == var.invoke_arns.post && aws_api_gateway_integration.this["delete_item"].uri == var.invoke_arns.delete && aws_api_gateway_integration.this["get_collection"].uri == var.invoke_arns.get
    error_message = "each method must reach its own function"
  }
  assert {
    condition     = aws_lambda_permission.this["delete_item"].source_arn == "arn:aws:execute-api:eu-west-1:123456789012:abc/*/DELETE/animals/*" && aws_lambda_permission.this["get_collection"].qualifier == "live"
    error_message = "API Gateway may invoke the live alias from its own route only"
  }
  assert {
    condition     = aws_api_gateway_stage.this.xray_tracing_enabled && !aws_api_gateway_stage.this.cache_cluster_enabled && aws_cloudwatch_log_group.access.retention_in_days == 365 && aws_cloudwatch_log_group.execution.retention_in_days == 365
    error_message = "the stage must be traced and logged with a retention, and not cached by default"
  }
  assert {
    condition     = aws_api_gateway_method_settings.all.settings[0].throttling_rate_limit == 50 && !aws_api_gateway_method_settings.all.settings[0].data_trace_enabled
    error_message = "the stage must be throttled and must not log bodies"
  }
  assert {
    condition     = aws_api_gateway_gateway_response.this["MISSING_AUTHENTICATION_TOKEN"].status_code == "404"
    error_message = "an unknown path must be a 404"
  }
}

run "changed_integration_is_deployed" {
  command = plan
  variables {
    invoke_arns = {
      get    = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/other/invocations"
      post   = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/post/invocations"
      delete = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/delete/invocations"
    }
  }

  assert {
    condition     = aws_api_gateway_deployment.this.triggers.routes != run.first.deployed_routes_digest
    error_message = "a changed integration must make a new deployment"
  }
}

run "changed_authorization_is_deployed" {
  command = plan
  variables { authorization = "AWS_IAM" }

  assert {
    condition     = aws_api_gateway_deployment.this.triggers.routes != run.first.deployed_routes_digest && aws_api_gateway_method.this["get_collection"].authorization == "AWS_IAM"
    error_message = "a changed authorization must make a new deployment"
  }
}

run "caching" {
  command = plan
  variables { cache_enabled = true }

  assert {
    condition     = aws_api_gateway_stage.this.cache_cluster_size == "0.5" && aws_api_gateway_method_settings.cached[0].settings[0].cache_data_encrypted && aws_api_gateway_method_settings.cached[0].method_path == "animals/GET"
    error_message = "only GET /animals may be cached, encrypted"
  }
}

run "account_setting_can_be_left_alone" {
  command = plan
  variables { manage_account_logging = false }

  assert {
    condition     = length(aws_api_gateway_account.this) == 0 && length(aws_iam_role.logging) == 0
    error_message = "the account's logging role must stay untouched"
  }
}

run "rejects_missing_functions" {
  command = plan
  variables { function_names = { get = "test-get" } }
  expect_failures = [var.function_names]
}

run "rejects_unknown_authorization" {
  command = plan
  variables { authorization = "MAYBE" }
  expect_failures = [var.authorization]
}

run "rejects_cache_sizes_that_do_not_exist" {
  command = plan
  variables { cache_size_gb = "3" }
  expect_failures = [var.cache_size_gb]
}

run "rejects_no_throttling" {
  command = plan
  variables { throttling_rate_limit = 0 }
  expect_failures = [var.throttling_rate_limit]
}

run "rejects_stage_names_with_spaces" {
  command = plan
  variables { stage_name = "v 1" }
  expect_failures = [var.stage_name]
}
