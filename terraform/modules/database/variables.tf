variable "name" {
  description = "The installation; the database instance is called the same."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets without a route out, in at least two zones."
  type        = list(string)
}

variable "security_group_id" {
  description = "Lets the processes in, and nobody else."
  type        = string
}

variable "kms_key_arn" {
  description = "The key that encrypts storage, backups, logs and the master password."
  type        = string
}

variable "instance_class" {
  description = "The machine. Its memory decides how many connections there may be (parameters.tf)."
  type        = string

  validation {
    condition     = can(regex("^db\\.[a-z0-9]+\\.[a-z0-9]+$", var.instance_class)) && !strcontains(var.instance_class, "t2.")
    error_message = "instance_class is one such as db.t3.micro. PostgreSQL 17 runs on no db.t2."
  }
}

variable "multi_az" {
  description = "Whether a standby in another zone takes over by itself."
  type        = bool
}

variable "storage" {
  description = "GiB at the beginning; 20 is the least."
  type        = number

  validation {
    condition     = var.storage >= 20
    error_message = "storage is at least 20 GiB: gp3 has no less."
  }
}

variable "maximum_storage" {
  description = "GiB up to which the storage grows by itself."
  type        = number
}

variable "backup_days" {
  description = "Days back to which the database can be restored, to any second."
  type        = number
}

variable "monitoring_interval" {
  description = "Seconds between two measurements of the operating system's metrics; 0: none."
  type        = number

  validation {
    condition     = contains([0, 1, 5, 10, 15, 30, 60], var.monitoring_interval)
    error_message = "monitoring_interval is 0, 1, 5, 10, 15, 30 or 60 seconds."
  }
}

variable "log_days" {
  description = "Days that the server's log is kept."
  type        = number
}

variable "protected" {
  description = "Whether the database refuses to be deleted, and leaves a last snapshot."
  type        = bool
}
