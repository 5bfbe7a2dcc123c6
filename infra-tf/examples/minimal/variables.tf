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
  description = "Zip with the bootstrap binary and RDS's authorities, as made by cargo xtask lambda build --ca-bundle."
  type        = string
  nullable    = false

  validation {
    condition     = fileexists(var.lambda_artifact_path)
    error_message = "The Lambda artifact does not exist. Build it with: cargo xtask lambda build"
  }
}

variable "bastion_enabled" {
  description = "Make the bastion and its endpoints, about 26 dollars a month; false once table and user are made."
  type        = bool
  default     = true
  nullable    = false
}
