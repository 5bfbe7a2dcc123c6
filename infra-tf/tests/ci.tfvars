lambda_artifact_path         = "tests/fixtures/artifact.zip"
github_repository            = "someone/postgres-as-app"
state_bucket_name            = "test-state"
state_kms_key_arn            = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000001"
alarm_emails                 = ["someone@example.org"]
database_deletion_protection = false
