data "aws_partition" "current" {}

data "aws_iam_policy_document" "logging_trust" {
  statement {
    sid     = "ApiGateway"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["apigateway.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "logging" {
  count = var.manage_account_logging ? 1 : 0

  name                 = "${var.name}-api-gateway-logs"
  description          = "Lets API Gateway write logs in this account and region"
  assume_role_policy   = data.aws_iam_policy_document.logging_trust.json
  permissions_boundary = var.permissions_boundary_arn

  tags = var.tags
}

resource "aws_iam_role_policy_attachment" "logging" {
  count = var.manage_account_logging ? 1 : 0

  role       = aws_iam_role.logging[0].name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
}

resource "aws_api_gateway_account" "this" {
  count = var.manage_account_logging ? 1 : 0

  cloudwatch_role_arn = aws_iam_role.logging[0].arn

  depends_on = [aws_iam_role_policy_attachment.logging]
}
