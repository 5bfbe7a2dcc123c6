mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-west-1a", "eu-west-1b", "eu-west-1c"] }
  }
  mock_data "aws_region" {
    defaults = { region = "eu-west-1" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
}

variables {
  name = "test"
}

run "default_has_no_way_to_the_internet" {
  command = plan

  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_internet_gateway.this) == 0 && length(aws_subnet.public) == 0
    error_message = "nat_mode none must make neither a NAT gateway nor an internet gateway nor a public subnet"
  }
  assert {
    condition     = length(aws_subnet.private) == 2 && aws_subnet.private["0"].availability_zone != aws_subnet.private["1"].availability_zone
    error_message = "there must be two private subnets in two zones"
  }
  assert {
    condition     = aws_vpc_endpoint.interface["ssm"].service_name == "com.amazonaws.eu-west-1.ssm"
    error_message = "Session Manager must be reachable through an endpoint"
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.endpoints_https.from_port == 443 && aws_vpc_security_group_ingress_rule.endpoints_https.cidr_ipv4 == "10.20.0.0/16"
    error_message = "endpoints must accept HTTPS from the VPC only"
  }
  assert {
    condition     = aws_cloudwatch_log_group.flow_logs[0].retention_in_days == 365
    error_message = "flow logs must have a retention"
  }
}

run "single_nat_serves_every_zone" {
  command = plan
  variables {
    nat_mode                = "single"
    availability_zone_count = 3
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_route.private_nat) == 3 && length(aws_subnet.public) == 3
    error_message = "one NAT gateway must serve the three private route tables"
  }
}

run "nat_per_zone" {
  command = plan
  variables { nat_mode = "per_az" }

  assert {
    condition     = length(aws_nat_gateway.this) == 2
    error_message = "per_az must make one NAT gateway in each zone"
  }
}

run "flow_logs_and_endpoints_can_be_off" {
  command = plan
  variables {
    flow_logs_enabled   = false
    interface_endpoints = []
  }

  assert {
    condition     = length(aws_flow_log.this) == 0 && length(aws_vpc_endpoint.interface) == 0 && output.flow_log_group_name == null
    error_message = "what is turned off must not be made"
  }
}

run "rejects_a_small_range" {
  command = plan
  variables { cidr_block = "10.0.0.0/28" }
  expect_failures = [var.cidr_block]
}

run "rejects_text_as_range" {
  command = plan
  variables { cidr_block = "ten" }
  expect_failures = [var.cidr_block]
}

run "rejects_one_zone" {
  command = plan
  variables { availability_zone_count = 1 }
  expect_failures = [var.availability_zone_count]
}

run "rejects_unknown_nat_mode" {
  command = plan
  variables { nat_mode = "two" }
  expect_failures = [var.nat_mode]
}

run "rejects_retention_that_does_not_exist" {
  command = plan
  variables { log_retention_days = 8 }
  expect_failures = [var.log_retention_days]
}

run "rejects_names_aws_would_refuse" {
  command = plan
  variables { name = "Bad_Name" }
  expect_failures = [var.name]
}

run "rejects_endpoints_that_are_no_names" {
  command = plan
  variables { interface_endpoints = ["com amazonaws ssm"] }
  expect_failures = [var.interface_endpoints]
}

run "too_few_zones_stop_the_plan" {
  command = plan
  variables { availability_zone_count = 3 }

  override_data {
    target = data.aws_availability_zones.available
    values = { names = ["us-west-1a", "us-west-1c"] }
  }
  expect_failures = [aws_vpc.this]
}

run "rejects_names_of_zones" {
  command = plan
  variables { exclude_zone_ids = ["us-east-1a"] }
  expect_failures = [var.exclude_zone_ids]
}
