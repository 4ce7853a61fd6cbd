variable "name" {
  description = "What every name begins with: coinrequest-production."
  type        = string
}

variable "account_id" {
  description = "Whose alarms and events the topic takes."
  type        = string
}

variable "region" {
  description = "Where it runs; widgets of the dashboard name it."
  type        = string
}

variable "namespace" {
  description = "CloudWatch's namespace of the metrics that the gateways write into their log."
  type        = string
}

variable "roles" {
  description = "The roles that run. What does not run has no alarms."
  type        = set(string)
}

variable "minimums" {
  description = "The least number of instances of each role."
  type        = map(number)
}

variable "group_names" {
  description = "The auto scaling group of each role."
  type        = map(string)
}

variable "cpu_credits" {
  description = "standard: spent credits make an instance slow. unlimited: they cost money."
  type        = string
}

variable "load_balancer_suffix" {
  description = "The public load balancer, as CloudWatch names it."
  type        = string
}

variable "target_group_suffix" {
  description = "Its target group, as CloudWatch names it."
  type        = string
}

variable "certificate_arn" {
  description = "The certificate whose days are counted."
  type        = string
}

variable "web_acl_name" {
  description = "The firewall, as CloudWatch names it."
  type        = string
}

variable "database_identifier" {
  description = "The database instance."
  type        = string
}

variable "database_storage" {
  description = "The database's disk at the beginning, in GiB."
  type        = number
}

variable "database_connections" {
  description = "How many connections the database takes."
  type        = number
}

variable "redis_cluster_ids" {
  description = "Each node of Redis."
  type        = list(string)
}

variable "kms_key_arn" {
  description = "Encrypts what waits in the topic."
  type        = string
}

variable "alarm_email" {
  description = "Who is told."
  type        = string
}

variable "monthly_budget" {
  description = "US$ a month."
  type        = number
}
