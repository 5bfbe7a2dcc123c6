name              = "test"
github_repository = "someone/postgres-as-app"
project_tag       = "test"
rest_api_id       = "abcdefghij"
