variable "name" {
  description = "What every resource's name starts with: coinrequest-production."
  type        = string
}

variable "account_id" {
  description = "The AWS account: only it may write through the endpoint of S3, and only its flow logs use their role."
  type        = string
}

variable "region" {
  description = "Where the endpoint of S3 is."
  type        = string
}

variable "vpc_cidr" {
  description = "The addresses of the network, a /16."
  type        = string

  validation {
    condition     = can(cidrsubnet(var.vpc_cidr, 4, 0)) && endswith(var.vpc_cidr, "/16")
    error_message = "vpc_cidr is a /16, such as 10.20.0.0/16."
  }
}

variable "nat_gateways" {
  description = "1: all zones go out through the first. 3: each through its own."
  type        = number

  validation {
    condition     = contains([1, 3], var.nat_gateways)
    error_message = "nat_gateways is 1 or 3."
  }
}

variable "log_days" {
  description = "How long the flow logs are kept."
  type        = number
}

variable "kms_key_arn" {
  description = "Encrypts the flow logs."
  type        = string
}
