variable "name" {
  description = "The installation; the replication group is called the same."
  type        = string
}

variable "region" {
  description = "Where the group is, for the program that sets its token."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets without a route out."
  type        = list(string)
}

variable "security_group_id" {
  description = "Lets the processes in, and nobody else."
  type        = string
}

variable "kms_key_arn" {
  description = "The key that encrypts memory on disk, snapshots and logs."
  type        = string
}

variable "node_type" {
  description = "The machine of each node; its memory is the limit of all queues together."
  type        = string
}

variable "replicas" {
  description = "Nodes besides the first. With one or more, another zone takes over by itself."
  type        = number

  validation {
    condition     = var.replicas >= 0 && var.replicas <= 5
    error_message = "replicas is between 0 and 5."
  }
}

variable "snapshot_days" {
  description = "Days that daily snapshots are kept; 0: none."
  type        = number
}

variable "log_days" {
  description = "Days that the logs are kept."
  type        = number
}

variable "token_secret_arn" {
  description = "The secret with the token that clients have to show."
  type        = string
}

variable "python" {
  description = "A Python with boto3, on the machine where Terraform runs."
  type        = string
}
