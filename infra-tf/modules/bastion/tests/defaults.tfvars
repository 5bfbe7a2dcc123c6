name                        = "test"
vpc_id                      = "vpc-0123456789abcdef0"
subnet_id                   = "subnet-0123456789abcdef0"
endpoints_security_group_id = "sg-0123456789abcdef0"
