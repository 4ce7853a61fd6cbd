variable "name" {
  description = "What every resource's name starts with: coinrequest-production."
  type        = string
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "roles" {
  description = "The roles by name, web and agent among them, each with the names of its secrets: who holds the key of a server is let through to it."
  type        = map(object({ secrets = list(string) }))

  validation {
    condition     = length(setsubtract(["web", "agent", "gateway"], keys(var.roles))) == 0
    error_message = "roles names at least web, agent and gateway."
  }
}
