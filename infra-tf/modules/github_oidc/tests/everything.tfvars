name                  = "test"
github_repository     = "someone/postgres-as-app"
github_environment    = "staging"
github_branch         = "release"
create_oidc_provider  = false
project_tag           = "test"
rest_api_id           = "abcdefghij"
state_bucket_name     = "test-state"
state_kms_key_arn     = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000001"
kms_key_arn           = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
kms_key_enabled       = true
tags                  = { Owner = "someone" }
github_owner_id       = "1234567"
github_repository_id  = "987654321"
state_key_prefix      = "infra-tf/test"
database_kms_key_arn  = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000002"
database_iam_username = "api"
