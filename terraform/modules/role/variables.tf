# -- which role ----------------------------------------------------------------------------------------------

variable "name" {
  description = "The installation: coinrequest-<environment>. Every name here starts with it."
  type        = string
}

variable "role" {
  description = "The role: web, scheduler, triggerer, agent or gateway."
  type        = string
}

variable "processes" {
  description = "The processes that each instance runs, as docker/run-process names them."
  type        = list(string)
}

variable "migrates" {
  description = "Whether an instance brings the database up to date before its processes start."
  type        = bool
}

variable "settings" {
  description = "Environment variables of the processes. Nothing secret: instances show them to whoever may sign in."
  type        = map(string)
}

variable "secret_arns" {
  description = "The secrets that the role may read, by name. It may read no other."
  type        = map(string)
}

variable "master_secret_arn" {
  description = "The secret of the database's master, for the role that creates the database's roles. Otherwise null."
  type        = string
  default     = null
}

# -- machines ------------------------------------------------------------------------------------------------

variable "account_id" {
  description = "The AWS account: policies name resources in it."
  type        = string
}

variable "region" {
  description = "The region: policies name resources in it."
  type        = string
}

variable "image" {
  description = "The container image with its tag."
  type        = string
}

variable "machine_image" {
  description = "The name of Amazon Linux 2023's machine image."
  type        = string
}

variable "instance_type" {
  description = "The kind of machine."
  type        = string
  default     = "t2.micro"
}

variable "cpu_credits" {
  description = "standard or unlimited, for machines of the t families."
  type        = string
}

variable "swap" {
  description = "The size of the swap file, such as 1G."
  type        = string
}

variable "disk" {
  description = "GiB of disk: the system and the image take about 6, the swap file up to 2, an update a second image."
  type        = number
  default     = 16
}

variable "minimum" {
  description = "Instances at least."
  type        = number
}

variable "maximum" {
  description = "Instances at most."
  type        = number
}

variable "subnet_ids" {
  description = "The private subnets, one in each zone."
  type        = list(string)
}

variable "security_group_id" {
  description = "The security group of the role."
  type        = string
}

variable "target_group_arns" {
  description = "Where the load balancers look for the instances. Their health then counts as the instance's."
  type        = list(string)
}

variable "drain_seconds" {
  description = "How long an instance that is taken away may finish what it does."
  type        = number
}

# -- scaling -------------------------------------------------------------------------------------------------

variable "request_target" {
  description = "Requests a minute for each instance to aim at, and the load balancer's label of the target group."
  type        = object({ label = string, value = number })
  default     = null
}

variable "cpu_target" {
  description = "Average use of the CPU in percent that the group aims at. null: it does not follow it."
  type        = number
  default     = null
}

variable "queue_target" {
  description = "Tasks for each instance to aim at, and the metric that counts them all."
  type        = object({ namespace = string, metric = string, value = number })
  default     = null
}

# -- what it reaches -----------------------------------------------------------------------------------------

variable "repository_name" {
  description = "The repository that the image is pulled from."
  type        = string
}

variable "task_log_bucket_arn" {
  description = "The bucket of the tasks' logs."
  type        = string
}

variable "task_log_access" {
  description = "What the role does with the tasks' logs: read, write (and read) or none."
  type        = string

  validation {
    condition     = contains(["read", "write", "none"], var.task_log_access)
    error_message = "task_log_access is read, write or none."
  }
}

variable "kms_key_arn" {
  description = "The key of the installation."
  type        = string
}

variable "log_days" {
  description = "How long the logs of the processes are kept."
  type        = number
}

variable "database_host" {
  description = "The database's host name."
  type        = string
}

variable "redis_host" {
  description = "The host name of Redis."
  type        = string
}

variable "notification_topic_arn" {
  description = "Who is told that an instance could not be started or stopped."
  type        = string
}
