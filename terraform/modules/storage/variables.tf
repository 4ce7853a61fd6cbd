variable "name" {
  description = "What every resource's name starts with: coinrequest-production."
  type        = string
}

variable "account_id" {
  description = "The AWS account. It makes the buckets' names unique, and its load balancers may write."
  type        = string
}

variable "region" {
  description = "Where the load balancers are."
  type        = string
}

variable "kms_key_arn" {
  description = "Encrypts the logs of tasks."
  type        = string
}

variable "task_log_days" {
  description = "How long the logs of tasks are kept."
  type        = number
}

variable "log_days" {
  description = "How long the load balancer's access logs are kept."
  type        = number
}

variable "protected" {
  description = "false: the buckets are deleted with everything in them."
  type        = bool
}
