locals {
  paths = {
    collection = "/animals"
    item       = "/animals/{name}"
  }
  # ANY takes what no other row takes: the function answers it with 405 and the allowed methods.
  routes = {
    get_collection    = { path = "collection", method = "GET", function = "get" }
    post_collection   = { path = "collection", method = "POST", function = "post" }
    delete_collection = { path = "collection", method = "DELETE", function = "delete" }
    other_collection  = { path = "collection", method = "ANY", function = "get" }
    delete_item       = { path = "item", method = "DELETE", function = "delete" }
    other_item        = { path = "item", method = "ANY", function = "get" }
  }
  gateway_responses = {
    MISSING_AUTHENTICATION_TOKEN = { status = "404", message = "Not found." }
    THROTTLED                    = { status = "429", message = "Too many requests." }
    QUOTA_EXCEEDED               = { status = "429", message = "Too many requests." }
    REQUEST_TOO_LARGE            = { status = "413", message = "The request is too large." }
    INTEGRATION_TIMEOUT          = { status = "503", message = "The service took too long to answer." }
    INTEGRATION_FAILURE          = { status = "503", message = "The service is not available." }
    WAF_FILTERED                 = { status = "403", message = "The request was refused." }
  }
  resource_ids = {
    collection = aws_api_gateway_resource.collection.id
    item       = aws_api_gateway_resource.item.id
  }
}

resource "aws_api_gateway_rest_api" "this" {
  name        = var.name
  description = "The animals API of ${var.name}"

  endpoint_configuration {
    types = ["REGIONAL"]
  }

  tags = var.tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_resource" "collection" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_rest_api.this.root_resource_id
  path_part   = "animals"
}

resource "aws_api_gateway_resource" "item" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_resource.collection.id
  path_part   = "{name}"
}

resource "aws_api_gateway_method" "this" {
  #checkov:skip=CKV_AWS_59:who may call is the caller's choice (authorization); the documented API is public and throttled
  #checkov:skip=CKV2_AWS_53:the function checks every input itself and answers with the documented messages
  for_each = local.routes

  rest_api_id   = aws_api_gateway_rest_api.this.id
  resource_id   = local.resource_ids[each.value.path]
  http_method   = each.value.method
  authorization = var.authorization
}

resource "aws_api_gateway_integration" "this" {
  for_each = local.routes

  rest_api_id             = aws_api_gateway_rest_api.this.id
  resource_id             = aws_api_gateway_method.this[each.key].resource_id
  http_method             = aws_api_gateway_method.this[each.key].http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = var.invoke_arns[each.value.function]
}

resource "aws_lambda_permission" "this" {
  for_each = local.routes

  # One per API and alias, so that a new one of either can be let in before the old one goes.
  statement_id  = "${var.name}-${replace(each.key, "_", "-")}-${aws_api_gateway_rest_api.this.id}"
  action        = "lambda:InvokeFunction"
  function_name = var.function_names[each.value.function]
  qualifier     = var.function_alias
  principal     = "apigateway.amazonaws.com"
  # One permission per route: method and path of this API, in any stage. A path parameter is a wildcard there.
  source_arn = "${aws_api_gateway_rest_api.this.execution_arn}/*/${replace(each.value.method, "ANY", "*")}${replace(local.paths[each.value.path], "{name}", "*")}"

  lifecycle {
    create_before_destroy = true
  }
}

# Answers that never reach a function have the same shape as those that do.
resource "aws_api_gateway_gateway_response" "this" {
  for_each = local.gateway_responses

  rest_api_id   = aws_api_gateway_rest_api.this.id
  response_type = each.key
  status_code   = each.value.status

  response_templates = {
    "application/json" = jsonencode({ message = each.value.message })
  }
}
