variable "account_id" {
  description = "The AWS account that this belongs to. Credentials of any other one are refused."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id is the account's 12 digits, as a string."
  }
}

variable "region" {
  description = "Where everything lies. There is one answer."
  type        = string
  default     = "eu-west-1"

  validation {
    condition     = var.region == "eu-west-1"
    error_message = "This project runs in eu-west-1 only: take region = \"eu-west-1\", or leave it out."
  }
}

variable "allow_destroy" {
  description = "Lets `terraform destroy` delete every state, image and record. For the end of the installation only."
  type        = bool
  default     = false
}

variable "zone_name" {
  description = "The public Route 53 zone of all environments: example.org."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.zone_name))
    error_message = "zone_name is a domain's name without a dot at its end, such as example.org."
  }
}

variable "create_zone" {
  description = "false: the account has the zone already."
  type        = bool
  default     = true
}

variable "github_repository" {
  description = "Whose workflows may plan and apply, as owner/name. Empty: none, and no role is made."
  type        = string
  default     = ""

  validation {
    # No star: it would trust other people's repositories.
    condition     = var.github_repository == "" || can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "github_repository is owner/name, or empty."
  }
}
