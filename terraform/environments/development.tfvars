# To try things out: one of each, the cheapest of everything.
#
# What belongs to one account and its people comes from installation.tfvars (installation.example.tfvars), image_tag
# from make plan.
environment = "development"
subdomain   = "jobs-development"
vpc_cidr    = "10.10.0.0/16"

# One way out, and data in one zone.
nat_gateways = 1
database = {
  instance_class      = "db.t3.micro"
  multi_az            = false
  storage             = 20
  maximum_storage     = 50
  backup_days         = 1
  monitoring_interval = 0
}
redis = { node_type = "cache.t3.micro", replicas = 0, snapshot_days = 0 }

capacity = {
  web       = { minimum = 1, maximum = 2 }
  scheduler = { minimum = 1, maximum = 1 }
  triggerer = { minimum = 1, maximum = 1 }
  agent     = { minimum = 1, maximum = 2 }
  gateway   = { minimum = 1, maximum = 1 }
}
cpu_credits            = "standard"
scheduler_idle_seconds = 1

log_days       = 7
monthly_budget = 250
