variable "region" {
  description = "AWS region of everything."
  type        = string
  default     = "eu-west-1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be an AWS region, like eu-west-1."
  }
}

variable "lambda_artifact_path" {
  description = "Zip with the bootstrap binary, as made by cargo xtask lambda build."
  type        = string
  nullable    = false

  validation {
    condition     = fileexists(var.lambda_artifact_path)
    error_message = "The Lambda artifact does not exist. Build it with: cargo xtask lambda build"
  }
}

variable "deletion_protection" {
  description = "Refuse to delete the cluster; turned off and applied before a destroy."
  type        = bool
  default     = true
  nullable    = false
}
