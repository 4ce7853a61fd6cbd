# What people work with.
#
# What belongs to one account and its people comes from installation.tfvars (installation.example.tfvars), image_tag
# from make plan.
environment = "production"
subdomain   = "jobs"
vpc_cidr    = "10.30.0.0/16"

# Each zone has a way out of its own, and data in two zones.
nat_gateways = 3
database = {
  instance_class      = "db.t3.micro"
  multi_az            = true
  storage             = 20
  maximum_storage     = 200
  backup_days         = 14
  monitoring_interval = 60
}
redis = { node_type = "cache.t3.micro", replicas = 1, snapshot_days = 7 }

capacity = {
  web       = { minimum = 2, maximum = 6 }
  scheduler = { minimum = 2, maximum = 2 }
  triggerer = { minimum = 2, maximum = 2 }
  agent     = { minimum = 2, maximum = 20 }
  gateway   = { minimum = 2, maximum = 2 }
}
cpu_credits            = "unlimited"
scheduler_idle_seconds = 0.1

log_days       = 90
monthly_budget = 500
