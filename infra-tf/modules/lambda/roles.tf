data "aws_iam_policy_document" "trust" {
  statement {
    sid     = "Lambda"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "this" {
  name                 = "${var.name}-lambda-role"
  description          = "What the functions of ${var.name} may do: log, trace, and log in to the database"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.permissions_boundary_arn

  tags = var.tags
}

data "aws_iam_policy_document" "this" {
  #checkov:skip=CKV_AWS_111:X-Ray and the network interfaces of Lambda have no resource to name; see the reason at each statement
  #checkov:skip=CKV_AWS_356:as above
  statement {
    sid       = "ConnectToDatabase"
    actions   = ["rds-db:connect"]
    resources = var.database_connect_arns
  }

  statement {
    sid       = "WriteOwnLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = [for function in var.functions : "${aws_cloudwatch_log_group.this[function].arn}:*"]
  }

  # X-Ray knows no resources for these.
  statement {
    sid       = "Trace"
    actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
    resources = ["*"]
  }

  # Lambda itself uses these to attach functions to the VPC, before the interface exists that could be named.
  statement {
    sid = "AttachToVpc"
    actions = [
      "ec2:CreateNetworkInterface",
      "ec2:DeleteNetworkInterface",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSubnets",
      "ec2:AssignPrivateIpAddresses",
      "ec2:UnassignPrivateIpAddresses",
    ]
    resources = ["*"]
  }

  # ... and the code of a function must not: only the Lambda service calls them without this key.
  statement {
    sid    = "KeepCodeOffTheNetworkInterfaces"
    effect = "Deny"
    actions = [
      "ec2:CreateNetworkInterface",
      "ec2:DeleteNetworkInterface",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSubnets",
      "ec2:AssignPrivateIpAddresses",
      "ec2:UnassignPrivateIpAddresses",
    ]
    resources = ["*"]

    condition {
      test     = "ArnLike"
      variable = "lambda:SourceFunctionArn"
      values   = ["arn:${data.aws_partition.current.partition}:lambda:*:${data.aws_caller_identity.current.account_id}:function:${var.name}-*"]
    }
  }
}

resource "aws_iam_role_policy" "this" {
  name   = "functions"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}
