name                         = "test"
vpc_id                       = "vpc-0123456789abcdef0"
subnet_ids                   = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
client_security_group_ids    = { lambda = "sg-0123456789abcdef0" }
proxy_enabled                = false
min_capacity                 = 0
max_capacity                 = 1
reader_count                 = 0
performance_insights_enabled = false
enhanced_monitoring_seconds  = 0
skip_final_snapshot          = true
