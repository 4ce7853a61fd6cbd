variable "name" {
  description = "The installation; every secret is called <name>/<short name>."
  type        = string
}

variable "kms_key_arn" {
  description = "The key that encrypts the secrets."
  type        = string
}

variable "protected" {
  description = "Whether a deleted secret can be brought back, for 30 days."
  type        = bool
}
