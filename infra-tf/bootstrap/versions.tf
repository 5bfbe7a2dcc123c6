# The state of this configuration is a local file: it describes one bucket, which can be imported should the file be lost.
terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.14"
    }
  }
}
