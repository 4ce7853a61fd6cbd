variable "name" {
  description = "What every name here begins with: coinrequest-production."
  type        = string
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "public_subnet_ids" {
  description = "Where the public load balancer stands, one for each zone."
  type        = list(string)
}

variable "private_subnet_ids" {
  description = "Where the internal load balancer stands, one for each zone."
  type        = list(string)
}

variable "public_security_group_id" {
  description = "Lets the world in on 80 and 443, and out to the web instances."
  type        = string
}

variable "internal_security_group_id" {
  description = "Lets the instances in on 443, and out to the web instances."
  type        = string
}

variable "zone_name" {
  description = "The public Route 53 zone: example.org."
  type        = string
}

variable "host_name" {
  description = "The web app's name: jobs.example.org. The internal load balancer is internal.jobs.example.org."
  type        = string
}

variable "access_log_bucket" {
  description = "Where the load balancers write a line for each request."
  type        = string
}

variable "requests_per_address" {
  description = "Requests that one address may send in five minutes."
  type        = number
}

variable "log_days" {
  description = "How long the firewall's log is kept."
  type        = number
}

variable "kms_key_arn" {
  description = "Encrypts the firewall's log."
  type        = string
}

variable "protected" {
  description = "The load balancers refuse to be deleted."
  type        = bool
}
