terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.14"
    }
  }

  # Bucket, key and region come from the backend file that `cargo xtask tf init` passes.
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}
