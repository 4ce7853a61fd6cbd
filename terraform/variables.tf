# -- what and where ------------------------------------------------------------------------------------------

variable "environment" {
  description = "Which installation: its names, tags and state carry it."
  type        = string

  validation {
    condition     = contains(["development", "staging", "production"], var.environment)
    error_message = "environment is development, staging or production."
  }
}

variable "account_id" {
  description = "The AWS account that this belongs to. Credentials of any other one are refused."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id is the account's 12 digits, as a string."
  }
}

variable "region" {
  description = "Where it runs. There is one answer."
  type        = string
  default     = "eu-west-1"

  validation {
    condition     = var.region == "eu-west-1"
    error_message = "This project runs in eu-west-1 only: take region = \"eu-west-1\", or leave it out."
  }
}

variable "zone_name" {
  description = "The public Route 53 zone that bootstrap made or found: example.org."
  type        = string
}

variable "subdomain" {
  description = "The web app's name within the zone: jobs for jobs.example.org."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", var.subdomain))
    error_message = "subdomain is one label of a host name, such as jobs."
  }
}

variable "image_tag" {
  description = "Which image of the registry runs: a release's tag. A new one replaces every instance, role by role."
  type        = string

  validation {
    condition     = var.image_tag != "latest" && can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", var.image_tag))
    error_message = "image_tag names one release, such as 0.1.0-3f2a91c; latest is none."
  }
}

variable "machine_image" {
  description = "The name of Amazon Linux 2023's machine image. Its packages are of the same date (releasever)."
  type        = string
  default     = "al2023-ami-2023.12.20260930.0-kernel-6.1-x86_64"
}

# -- what runs -----------------------------------------------------------------------------------------------

variable "components" {
  description = "The roles that run. [\"web\"] is the web app alone."
  type        = set(string)
  default     = ["web", "scheduler", "triggerer", "agent", "gateway"]

  validation {
    condition     = contains(var.components, "web") && length(setsubtract(var.components, ["web", "scheduler", "triggerer", "agent", "gateway"])) == 0
    error_message = "components are of web, scheduler, triggerer, agent and gateway, and web is always among them."
  }
}

variable "capacity" {
  description = "Instances of each role: at least, at most."
  type        = map(object({ minimum = number, maximum = number }))

  validation {
    condition     = length(setsubtract(["web", "scheduler", "triggerer", "agent", "gateway"], keys(var.capacity))) == 0 && alltrue([for size in values(var.capacity) : size.minimum >= 1 && size.maximum >= size.minimum])
    error_message = "capacity names each role, with a minimum of at least 1 and a maximum that is not below it."
  }
}

variable "instance_types" {
  description = "Roles that need another machine than t2.micro. terraform/README.md lists each with its measured reason."
  type        = map(string)
  default     = {}
}

variable "cpu_credits" {
  description = "standard: a t2 that has used up its credits runs at a tenth of a core. unlimited: it runs on, for money."
  type        = string

  validation {
    condition     = contains(["standard", "unlimited"], var.cpu_credits)
    error_message = "cpu_credits is standard or unlimited."
  }
}

variable "scheduler_idle_seconds" {
  description = "How long the scheduler rests when there is nothing to do. 0.1: jobs start at once, for more CPU than a t2.micro earns. 1: within what it earns."
  type        = number
}

variable "mail" {
  description = "Where mails go out, if they do: a secret of one's own that holds smtp://user:password@host:587, who sends, who gets mails that name nobody."
  type        = object({ url_secret_arn = string, from = string, to = string })
  default     = null
}

variable "agent_concurrency" {
  description = "Tasks that one agent runs at a time. Two fit into 1 GiB with a swap file."
  type        = number
  default     = 2
}

variable "requests_per_web_instance" {
  description = "Requests a minute for each web instance that the group aims at. docs/explanation/aws-capacity.md says where it comes from."
  type        = number
  default     = 600
}

variable "drain_seconds" {
  description = "How long an agent that is taken away may finish its tasks; a longer one is given to another agent."
  type        = number
  default     = 3600

  validation {
    condition     = var.drain_seconds >= 60 && var.drain_seconds <= 172800
    error_message = "drain_seconds is between 60 and 172800: AWS lets an instance wait two days."
  }
}

variable "load_examples" {
  description = "Airflow's example DAGs, for a first look. Never in production."
  type        = bool
  default     = false

  validation {
    condition     = !(var.load_examples && var.environment == "production")
    error_message = "load_examples is for a first look: it is off in production."
  }
}

# -- network, data, edge -------------------------------------------------------------------------------------

variable "vpc_cidr" {
  description = "The addresses of the network, a /16."
  type        = string

  validation {
    condition     = can(cidrsubnet(var.vpc_cidr, 4, 0)) && endswith(var.vpc_cidr, "/16")
    error_message = "vpc_cidr is a /16, such as 10.20.0.0/16."
  }
}

variable "nat_gateways" {
  description = "1: cheaper, and one zone's failure cuts all from the internet. 3: one for each zone."
  type        = number

  validation {
    condition     = contains([1, 3], var.nat_gateways)
    error_message = "nat_gateways is 1 or 3."
  }
}

variable "database" {
  description = "RDS for PostgreSQL. Storage in GiB; it grows by itself up to the maximum."
  type = object({
    instance_class      = string
    multi_az            = bool
    storage             = number
    maximum_storage     = number
    backup_days         = number
    monitoring_interval = number
  })

  validation {
    condition     = var.database.backup_days >= 1 && var.database.backup_days <= 35
    error_message = "database.backup_days is between 1 and 35: there is always a backup."
  }
}

variable "redis" {
  description = "ElastiCache for Redis. With replicas it fails over by itself."
  type        = object({ node_type = string, replicas = number, snapshot_days = number })
}

variable "requests_per_address" {
  description = "Requests that one address may send in five minutes before the firewall stops it."
  type        = number
  default     = 3000
}

# -- operation -----------------------------------------------------------------------------------------------

variable "log_days" {
  description = "How long logs are kept: of processes, of the network and of requests."
  type        = number
}

variable "task_log_days" {
  description = "How long the logs of tasks are kept."
  type        = number
  default     = 90
}

variable "alarm_email" {
  description = "Who is told when an alarm goes off. AWS asks this address for its consent once."
  type        = string

  validation {
    condition     = can(regex("^[^@ ]+@[^@ ]+$", var.alarm_email))
    error_message = "alarm_email is one address."
  }
}

variable "monthly_budget" {
  description = "US$ a month; at 80 % of it, and when more is to be expected, a mail is sent."
  type        = number
}

variable "protected" {
  description = "Database, load balancer and buckets refuse to be deleted. make destroy takes it off first."
  type        = bool
  default     = true
}

variable "python" {
  description = "A Python with boto3: it sets the token of Redis, which Terraform would write into its state."
  type        = string
  default     = "python3"
}
