variable "account_id" {
  description = "The AWS account that this belongs to. Credentials of any other one are refused."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id is the account's 12 digits, as a string."
  }
}

variable "region" {
  description = "Where the state lies. There is one answer."
  type        = string
  default     = "eu-west-1"

  validation {
    condition     = var.region == "eu-west-1"
    error_message = "This project runs in eu-west-1 only: take region = \"eu-west-1\", or leave it out."
  }
}

variable "allow_destroy" {
  description = "Lets `terraform destroy` delete the bucket with every state in it. For the end of the installation only."
  type        = bool
  default     = false
}
