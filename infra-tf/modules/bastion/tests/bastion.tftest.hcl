mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_ssm_parameter" {
    defaults = { insecure_value = "ami-0123456789abcdef0" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
}

variables {
  name                        = "test"
  vpc_id                      = "vpc-1"
  subnet_id                   = "subnet-1"
  endpoints_security_group_id = "sg-endpoints"
}

run "nobody_reaches_it_from_outside" {
  command = plan

  assert {
    condition     = !aws_instance.this.associate_public_ip_address && aws_instance.this.metadata_options[0].http_tokens == "required" && aws_instance.this.root_block_device[0].encrypted
    error_message = "the bastion must have no public address, IMDSv2 only and an encrypted disk"
  }
  assert {
    condition     = length(aws_vpc_security_group_egress_rule.session_manager_nat) == 0 && aws_vpc_security_group_egress_rule.session_manager_endpoints[0].referenced_security_group_id == "sg-endpoints"
    error_message = "without NAT the bastion may only reach the endpoints"
  }
}

run "through_nat" {
  command = plan
  variables {
    nat_enabled                 = true
    endpoints_security_group_id = null
  }

  assert {
    condition     = aws_vpc_security_group_egress_rule.session_manager_nat[0].from_port == 443 && aws_vpc_security_group_egress_rule.session_manager_nat[0].to_port == 443
    error_message = "with NAT the bastion may only reach HTTPS"
  }
}

run "made_with_the_first_image" {
  command = apply
}

run "a_new_image_does_not_replace_it" {
  command = plan

  override_data {
    target = data.aws_ssm_parameter.image
    values = { insecure_value = "ami-0fedcba9876543210" }
  }
  assert {
    condition     = aws_instance.this.ami == "ami-0123456789abcdef0"
    error_message = "a released image must not replace the bastion"
  }
}

run "rejects_a_bastion_without_session_manager" {
  command = plan
  variables { endpoints_security_group_id = null }
  expect_failures = [var.nat_enabled]
}

run "rejects_other_processors" {
  command = plan
  variables { instance_type = "t3.nano" }
  expect_failures = [var.instance_type]
}

run "rejects_a_volume_smaller_than_the_image" {
  command = plan
  variables { root_volume_gb = 4 }
  expect_failures = [var.root_volume_gb]
}
