variable "name" {
  description = "The repository's name."
  type        = string
}

variable "releases" {
  description = "How many of the newest images stay. An instance that starts later than that many pushes ago finds none."
  type        = number
  default     = 30
}

variable "allow_destroy" {
  description = "Lets `terraform destroy` delete the repository with every image in it."
  type        = bool
  default     = false
}
