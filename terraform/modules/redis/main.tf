# ElastiCache for Redis: tasks that were handed out, Celery's results, and the channel's queues.

resource "aws_elasticache_subnet_group" "this" {
  name        = var.name
  description = "Subnets of ${var.name} without a route out"
  subnet_ids  = var.subnet_ids
}

resource "aws_elasticache_parameter_group" "this" {
  name        = "${var.name}-redis7"
  description = "Redis of ${var.name}"
  family      = "redis7"

  # Full memory refuses a new message. Any other policy throws away one that somebody waits for.
  parameter {
    name  = "maxmemory-policy"
    value = "noeviction"
  }
}

resource "aws_elasticache_replication_group" "this" {
  #checkov:skip=CKV_AWS_31:The token would be in the state; terraform_data.token sets it
  #checkov:skip=CKV2_AWS_50:Fails over by itself where there are replicas; production's variables have one, and a test says so
  replication_group_id = var.name
  description          = "Queues of ${var.name}"

  # The last Redis that ElastiCache has. Celery's transport does not work with cluster mode.
  engine                     = "redis"
  engine_version             = "7.1"
  node_type                  = var.node_type
  num_cache_clusters         = var.replicas + 1
  automatic_failover_enabled = var.replicas > 0
  multi_az_enabled           = var.replicas > 0
  parameter_group_name       = aws_elasticache_parameter_group.this.name
  port                       = 6379

  subnet_group_name          = aws_elasticache_subnet_group.this.name
  security_group_ids         = [var.security_group_id]
  transit_encryption_enabled = true
  transit_encryption_mode    = "required"
  at_rest_encryption_enabled = true
  kms_key_id                 = var.kms_key_arn

  # UTC: snapshots after midnight in Ireland, changes before dawn.
  snapshot_retention_limit = var.snapshot_days
  snapshot_window          = "01:30-02:30"
  maintenance_window       = "sun:03:00-sun:04:00"

  dynamic "log_delivery_configuration" {
    for_each = aws_cloudwatch_log_group.this

    content {
      destination      = log_delivery_configuration.value.name
      destination_type = "cloudwatch-logs"
      log_format       = "json"
      log_type         = log_delivery_configuration.key
    }
  }
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:How long logs are kept is the environment's decision (log_days)
  for_each = toset(["slow-log", "engine-log"])

  name              = "/aws/elasticache/${var.name}/${each.key}"
  retention_in_days = var.log_days
  kms_key_id        = var.kms_key_arn
}

# The argument auth_token would write the token into the state, in clear. This program reads it from Secrets Manager, and
# gives it to the group. It waits, so that whoever depends on this module finds a group that asks for the token.
resource "terraform_data" "token" {
  # The id of a group that is made anew is unknown, so that this runs again.
  triggers_replace = [aws_elasticache_replication_group.this.id]

  provisioner "local-exec" {
    command     = "\"$PYTHON\" -m aws.redis_token --replication-group \"$GROUP\" --secret \"$SECRET\" --region \"$REGION\""
    working_dir = "${path.module}/../../.."
    environment = {
      PYTHON = var.python
      GROUP  = aws_elasticache_replication_group.this.id
      SECRET = var.token_secret_arn # its address, not its value
      REGION = var.region
    }
  }
}
