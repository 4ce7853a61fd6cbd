# What production will run next, in the smallest size that still has two web instances.
#
# What belongs to one account and its people comes from installation.tfvars (installation.example.tfvars), image_tag
# from make plan.
environment = "staging"
subdomain   = "jobs-staging"
vpc_cidr    = "10.20.0.0/16"

# One way out, and data in one zone.
nat_gateways = 1
database = {
  instance_class      = "db.t3.micro"
  multi_az            = false
  storage             = 20
  maximum_storage     = 50
  backup_days         = 3
  monitoring_interval = 60
}
redis = { node_type = "cache.t3.micro", replicas = 0, snapshot_days = 1 }

capacity = {
  web       = { minimum = 2, maximum = 3 }
  scheduler = { minimum = 1, maximum = 1 }
  triggerer = { minimum = 1, maximum = 1 }
  agent     = { minimum = 1, maximum = 4 }
  gateway   = { minimum = 1, maximum = 1 }
}
cpu_credits            = "unlimited"
scheduler_idle_seconds = 0.1

log_days       = 30
monthly_budget = 280
