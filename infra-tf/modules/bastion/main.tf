# No SSH, no key, no public address, no way in: people and CI come through Session Manager, which IAM decides on.

data "aws_partition" "current" {}

data "aws_ssm_parameter" "image" {
  name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
}

resource "aws_security_group" "this" {
  name        = "${var.name}-bastion"
  description = "Bastion of ${var.name}: nothing comes in, Session Manager goes out"
  vpc_id      = var.vpc_id

  tags = merge(var.tags, { Name = "${var.name}-bastion" })
}

resource "aws_vpc_security_group_egress_rule" "session_manager_endpoints" {
  count = var.nat_enabled ? 0 : 1

  security_group_id            = aws_security_group.this.id
  description                  = "HTTPS to the interface endpoints"
  referenced_security_group_id = var.endpoints_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443

  tags = var.tags
}

resource "aws_vpc_security_group_egress_rule" "session_manager_nat" {
  count = var.nat_enabled ? 1 : 0

  security_group_id = aws_security_group.this.id
  description       = "HTTPS to Session Manager through NAT"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443

  tags = var.tags
}

data "aws_iam_policy_document" "trust" {
  statement {
    sid     = "Ec2"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "this" {
  name                 = "${var.name}-ec2-role"
  description          = "Lets the bastion of ${var.name} keep up its Session Manager channel, nothing else"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.permissions_boundary_arn

  tags = var.tags
}

# The agent's own calls. AmazonSSMManagedInstanceCore would add reading every parameter of the account.
data "aws_iam_policy_document" "session_manager" {
  #checkov:skip=CKV_AWS_111:the channel actions of Session Manager know no resources
  #checkov:skip=CKV_AWS_356:as above
  statement {
    sid = "SessionManagerChannel"
    actions = [
      "ssm:UpdateInstanceInformation",
      "ssmmessages:CreateControlChannel",
      "ssmmessages:CreateDataChannel",
      "ssmmessages:OpenControlChannel",
      "ssmmessages:OpenDataChannel",
      "ec2messages:AcknowledgeMessage",
      "ec2messages:DeleteMessage",
      "ec2messages:FailMessage",
      "ec2messages:GetEndpoint",
      "ec2messages:GetMessages",
      "ec2messages:SendReply",
    ]
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "session_manager" {
  name   = "session-manager"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.session_manager.json
}

resource "aws_iam_instance_profile" "this" {
  name = "${var.name}-ec2-role"
  role = aws_iam_role.this.name

  tags = var.tags
}

resource "aws_instance" "this" {
  ami                         = data.aws_ssm_parameter.image.insecure_value
  instance_type               = var.instance_type
  subnet_id                   = var.subnet_id
  vpc_security_group_ids      = [aws_security_group.this.id]
  iam_instance_profile        = aws_iam_instance_profile.this.name
  associate_public_ip_address = false
  monitoring                  = true
  ebs_optimized               = true

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  root_block_device {
    volume_type = "gp3"
    volume_size = var.root_volume_gb
    encrypted   = true
    kms_key_id  = var.kms_key_arn
  }

  tags        = merge(var.tags, { Name = "${var.name}-bastion" })
  volume_tags = merge(var.tags, { Name = "${var.name}-bastion" })

  lifecycle {
    # A new image is no reason to replace the instance in the middle of someone's session.
    # To take one: terraform apply -replace=ADDRESS.
    ignore_changes = [ami]
  }
}
