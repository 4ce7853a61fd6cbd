# The installation: which parts there are and what each gets from the others. Environments differ in variables alone
# (environments/*.tfvars).

locals {
  name = "coinrequest-${var.environment}"
  # CloudWatch's namespace of the metrics that the gateways write into their logs.
  namespace = "coinrequest/${var.environment}"
  host_name = "${var.subdomain}.${var.zone_name}"
  url       = "https://${local.host_name}"
  image     = "${var.account_id}.dkr.ecr.${var.region}.amazonaws.com/coinrequest:${var.image_tag}"
}

module "network" {
  source = "./modules/network"

  name         = local.name
  account_id   = var.account_id
  region       = var.region
  vpc_cidr     = var.vpc_cidr
  nat_gateways = var.nat_gateways
  log_days     = var.log_days
  kms_key_arn  = aws_kms_key.this.arn
}

module "firewall" {
  source = "./modules/firewall"

  name   = local.name
  vpc_id = module.network.vpc_id
  roles  = local.roles
}

module "storage" {
  source = "./modules/storage"

  name          = local.name
  account_id    = var.account_id
  region        = var.region
  kms_key_arn   = aws_kms_key.this.arn
  task_log_days = var.task_log_days
  log_days      = var.log_days
  protected     = var.protected
}

module "secrets" {
  source = "./modules/secrets"

  name        = local.name
  kms_key_arn = aws_kms_key.this.arn
  protected   = var.protected
}

module "database" {
  source = "./modules/database"

  name                = local.name
  subnet_ids          = module.network.isolated_subnet_ids
  security_group_id   = module.firewall.database_security_group_id
  kms_key_arn         = aws_kms_key.this.arn
  instance_class      = var.database.instance_class
  multi_az            = var.database.multi_az
  storage             = var.database.storage
  maximum_storage     = var.database.maximum_storage
  backup_days         = var.database.backup_days
  monitoring_interval = var.database.monitoring_interval
  log_days            = var.log_days
  protected           = var.protected
}

module "redis" {
  source = "./modules/redis"

  name              = local.name
  region            = var.region
  subnet_ids        = module.network.isolated_subnet_ids
  security_group_id = module.firewall.redis_security_group_id
  kms_key_arn       = aws_kms_key.this.arn
  node_type         = var.redis.node_type
  replicas          = var.redis.replicas
  snapshot_days     = var.redis.snapshot_days
  log_days          = var.log_days
  token_secret_arn  = module.secrets.arns["redis"]
  python            = var.python
}

module "load_balancer" {
  source = "./modules/load_balancer"

  name                       = local.name
  vpc_id                     = module.network.vpc_id
  public_subnet_ids          = module.network.public_subnet_ids
  private_subnet_ids         = module.network.private_subnet_ids
  public_security_group_id   = module.firewall.public_load_balancer_security_group_id
  internal_security_group_id = module.firewall.internal_load_balancer_security_group_id
  zone_name                  = var.zone_name
  host_name                  = local.host_name
  access_log_bucket          = module.storage.access_log_bucket
  requests_per_address       = var.requests_per_address
  log_days                   = var.log_days
  kms_key_arn                = aws_kms_key.this.arn
  protected                  = var.protected
}

module "role" {
  source   = "./modules/role"
  for_each = local.enabled_roles

  name      = local.name
  role      = each.key
  processes = each.value.processes
  migrates  = each.key == local.migrating_role
  settings  = merge(local.settings, each.value.settings)
  secret_arns = merge(
    { for name in each.value.secrets : name => module.secrets.arns[name] },
    each.key == "agent" && var.mail != null ? { smtp-url = var.mail.url_secret_arn } : {},
  )
  master_secret_arn = each.key == local.migrating_role ? module.database.master_secret_arn : null

  account_id             = var.account_id
  region                 = var.region
  image                  = local.image
  machine_image          = var.machine_image
  instance_type          = lookup(var.instance_types, each.key, "t2.micro")
  cpu_credits            = var.cpu_credits
  swap                   = each.value.swap
  minimum                = var.capacity[each.key].minimum
  maximum                = var.capacity[each.key].maximum
  subnet_ids             = module.network.private_subnet_ids
  security_group_id      = module.firewall.role_security_group_ids[each.key]
  target_group_arns      = each.key == "web" ? module.load_balancer.target_group_arns : []
  drain_seconds          = each.value.drain_seconds
  request_target         = each.key == "web" ? { label = module.load_balancer.request_count_label, value = var.requests_per_web_instance } : null
  cpu_target             = each.key == "web" ? 60 : null
  queue_target           = each.key == "agent" ? { namespace = local.namespace, metric = "TasksActive", value = var.agent_concurrency } : null
  repository_name        = "coinrequest"
  task_log_bucket_arn    = module.storage.task_log_bucket_arn
  task_log_access        = each.value.task_logs
  kms_key_arn            = aws_kms_key.this.arn
  log_days               = var.log_days
  database_host          = module.database.host
  redis_host             = module.redis.host
  notification_topic_arn = module.observability.topic_arn
}

module "observability" {
  source = "./modules/observability"

  name        = local.name
  account_id  = var.account_id
  region      = var.region
  namespace   = local.namespace
  roles       = keys(local.enabled_roles)
  minimums    = { for role in keys(local.enabled_roles) : role => var.capacity[role].minimum }
  cpu_credits = var.cpu_credits
  # A name, not a reference: the groups send their own events to this module's topic.
  group_names          = { for role in keys(local.enabled_roles) : role => "${local.name}-${role}" }
  load_balancer_suffix = module.load_balancer.load_balancer_suffix
  target_group_suffix  = module.load_balancer.target_group_suffix
  certificate_arn      = module.load_balancer.certificate_arn
  web_acl_name         = module.load_balancer.web_acl_name
  database_identifier  = module.database.identifier
  database_storage     = var.database.storage
  database_connections = module.database.maximum_connections
  redis_cluster_ids    = module.redis.cluster_ids
  kms_key_arn          = aws_kms_key.this.arn
  alarm_email          = var.alarm_email
  monthly_budget       = var.monthly_budget
}
