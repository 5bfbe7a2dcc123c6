lambda_artifact_path = "../../tests/fixtures/artifact.zip"
