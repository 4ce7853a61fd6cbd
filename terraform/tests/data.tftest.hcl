# The database, Redis and the secrets: nobody reaches them in clear, nobody finds a password. The provider is a mock.

mock_provider "aws" {}

variables {
  name              = "coinrequest-production"
  region            = "eu-west-1"
  subnet_ids        = ["subnet-0a", "subnet-0b", "subnet-0c"]
  security_group_id = "sg-0"
  kms_key_arn       = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  log_days          = 90
  protected         = true

  instance_class      = "db.t3.micro"
  multi_az            = true
  storage             = 20
  maximum_storage     = 200
  backup_days         = 14
  monitoring_interval = 60

  node_type        = "cache.t3.micro"
  replicas         = 1
  snapshot_days    = 7
  token_secret_arn = format("%s:secret:%s", "arn:aws:secretsmanager:eu-west-1:123456789012", "coinrequest-production/redis-abcdef")
  # The mocked group has no token to set.
  python = "true"
}

# -- the database --------------------------------------------------------------------------------------------

run "database" {
  command = plan

  module {
    source = "./modules/database"
  }

  assert {
    condition     = aws_db_instance.this.engine == "postgres" && can(regex("^17\\.[0-9]+$", aws_db_instance.this.engine_version)) && !aws_db_instance.this.auto_minor_version_upgrade
    error_message = "The version is pinned to its last part, and changes by a commit."
  }

  assert {
    condition     = !aws_db_instance.this.publicly_accessible && aws_db_subnet_group.this.subnet_ids == toset(var.subnet_ids) && aws_db_instance.this.vpc_security_group_ids == toset([var.security_group_id])
    error_message = "The database is in the isolated subnets, behind its one group, and has no public address."
  }

  assert {
    condition     = aws_db_instance.this.storage_encrypted && aws_db_instance.this.kms_key_id == var.kms_key_arn && aws_db_instance.this.performance_insights_kms_key_id == var.kms_key_arn
    error_message = "Storage, backups and metrics are encrypted with the installation's key."
  }

  assert {
    condition     = aws_db_instance.this.manage_master_user_password && aws_db_instance.this.password == null && aws_db_instance.this.password_wo == null && aws_db_instance.this.master_user_secret_kms_key_id == var.kms_key_arn
    error_message = "RDS makes the master password, and keeps it in Secrets Manager. Terraform knows none."
  }

  assert {
    condition     = { for one in aws_db_parameter_group.this.parameter : one.name => one.value }["rds.force_ssl"] == "1" && { for one in aws_db_parameter_group.this.parameter : one.name => one.value }["rds.accepted_password_auth_method"] == "scram"
    error_message = "The server refuses connections without TLS, and passwords that are kept as MD5."
  }

  assert {
    condition     = { for one in aws_db_parameter_group.this.parameter : one.name => one.value }["max_connections"] == tostring(output.maximum_connections) && output.maximum_connections >= 186
    error_message = "What production starts with needs 186 connections at its peak (parameters.tf); the alarm has to know the server's limit."
  }

  assert {
    condition     = { for one in aws_db_parameter_group.this.parameter : one.name => one.value }["log_connections"] == "1" && { for one in aws_db_parameter_group.this.parameter : one.name => one.value }["log_min_duration_statement"] == "1000"
    error_message = "Who connects is logged, and each statement that takes a second."
  }

  assert {
    condition     = !contains([for one in aws_db_parameter_group.this.parameter : one.name], "log_statement")
    error_message = "log_statement would write the passwords of ALTER ROLE into the log."
  }

  assert {
    condition     = aws_db_instance.this.ca_cert_identifier == "rds-ca-rsa2048-g1"
    error_message = "The certificate is of the authority that clients are given."
  }

  assert {
    condition     = aws_db_instance.this.backup_retention_period == 14 && aws_db_instance.this.copy_tags_to_snapshot && !aws_db_instance.this.delete_automated_backups
    error_message = "Backups are kept, also those of a database that is gone."
  }

  assert {
    condition     = aws_db_instance.this.deletion_protection && !aws_db_instance.this.skip_final_snapshot && aws_db_instance.this.final_snapshot_identifier == "coinrequest-production-final" && !aws_db_instance.this.apply_immediately
    error_message = "A protected database refuses to be deleted, leaves a snapshot, and restarts at night only."
  }

  assert {
    condition     = aws_db_instance.this.storage_type == "gp3" && aws_db_instance.this.max_allocated_storage == 200 && aws_db_instance.this.multi_az
    error_message = "The storage grows by itself, and with multi_az there is a standby."
  }

  assert {
    condition     = aws_db_instance.this.enabled_cloudwatch_logs_exports == toset(["postgresql", "upgrade"]) && alltrue([for name, group in aws_cloudwatch_log_group.this : group.name == "/aws/rds/instance/coinrequest-production/${name}" && group.retention_in_days == 90 && group.kms_key_id == var.kms_key_arn])
    error_message = "The server's log goes to groups that are encrypted and that end: those that RDS makes itself are neither."
  }

  assert {
    condition     = length(aws_iam_role.monitoring) == 1 && jsondecode(aws_iam_role.monitoring[0].assume_role_policy).Statement[0].Condition == { StringEquals = { "aws:SourceAccount" = "123456789012" }, ArnLike = { "aws:SourceArn" = "arn:aws:rds:*:*:db:coinrequest-production" } }
    error_message = "RDS takes the role for this database alone."
  }
}

run "database_that_may_go" {
  command = plan

  module {
    source = "./modules/database"
  }

  variables {
    protected           = false
    multi_az            = false
    monitoring_interval = 0
  }

  assert {
    condition     = !aws_db_instance.this.deletion_protection && aws_db_instance.this.skip_final_snapshot && aws_db_instance.this.delete_automated_backups && !aws_db_instance.this.multi_az
    error_message = "Without protection nothing is left that costs money."
  }

  assert {
    condition     = length(aws_iam_role.monitoring) == 0 && aws_db_instance.this.monitoring_interval == 0
    error_message = "Without metrics of the operating system there is no role for them."
  }
}

run "postgresql_has_no_t2" {
  command = plan

  module {
    source = "./modules/database"
  }

  variables {
    instance_class = "db.t2.micro"
  }

  expect_failures = [var.instance_class]
}

# -- Redis ---------------------------------------------------------------------------------------------------

run "redis" {
  command = plan

  module {
    source = "./modules/redis"
  }

  assert {
    condition     = aws_elasticache_replication_group.this.transit_encryption_enabled && aws_elasticache_replication_group.this.transit_encryption_mode == "required"
    error_message = "Redis speaks TLS and nothing else."
  }

  assert {
    condition     = aws_elasticache_replication_group.this.auth_token == null
    error_message = "A token that Terraform knows is in its state in clear."
  }

  assert {
    condition     = aws_elasticache_replication_group.this.at_rest_encryption_enabled == "true" && aws_elasticache_replication_group.this.kms_key_id == var.kms_key_arn
    error_message = "What Redis writes to a disk is encrypted with the installation's key."
  }

  assert {
    condition     = aws_elasticache_subnet_group.this.subnet_ids == toset(var.subnet_ids) && aws_elasticache_replication_group.this.security_group_ids == toset([var.security_group_id])
    error_message = "Redis is in the isolated subnets, behind its one group."
  }

  assert {
    condition     = [for one in aws_elasticache_parameter_group.this.parameter : one.value if one.name == "maxmemory-policy"] == ["noeviction"]
    error_message = "A message that somebody waits for is never thrown away."
  }

  assert {
    condition     = aws_elasticache_replication_group.this.num_cache_clusters == 2 && aws_elasticache_replication_group.this.automatic_failover_enabled && aws_elasticache_replication_group.this.multi_az_enabled && output.cluster_ids == ["coinrequest-production-001", "coinrequest-production-002"]
    error_message = "With a replica, another zone takes over by itself; alarms watch both nodes."
  }

  assert {
    condition     = aws_elasticache_replication_group.this.engine == "redis" && aws_elasticache_replication_group.this.engine_version == "7.1" && aws_elasticache_replication_group.this.snapshot_retention_limit == 7
    error_message = "The version is pinned, and there are snapshots."
  }

  assert {
    condition     = alltrue([for group in aws_cloudwatch_log_group.this : group.kms_key_id == var.kms_key_arn && group.retention_in_days == 90]) && length(aws_elasticache_replication_group.this.log_delivery_configuration) == 2
    error_message = "Slow commands and the server's own log go to groups that are encrypted and that end."
  }
}

run "redis_alone" {
  command = plan

  module {
    source = "./modules/redis"
  }

  variables {
    replicas = 0
  }

  assert {
    condition     = aws_elasticache_replication_group.this.num_cache_clusters == 1 && !aws_elasticache_replication_group.this.automatic_failover_enabled && !aws_elasticache_replication_group.this.multi_az_enabled && output.cluster_ids == ["coinrequest-production-001"]
    error_message = "One node cannot fail over."
  }
}

# -- secrets -------------------------------------------------------------------------------------------------

run "secrets" {
  command = apply

  module {
    source = "./modules/secrets"
  }

  assert {
    condition     = keys(output.arns) == ["api-secret-key", "database-owner", "database-reader", "fernet-key", "jwt-secret", "people", "redis"] && alltrue([for short, name in output.names : name == "coinrequest-production/${short}"])
    error_message = "Each secret has its name, and each of them a value."
  }

  assert {
    condition     = alltrue([for version in aws_secretsmanager_secret_version.this : version.secret_string == null && version.secret_binary == null])
    error_message = "Values are write-only: the state has none."
  }

  assert {
    condition     = alltrue([for version in aws_secretsmanager_secret_version.this : version.secret_string_wo == null && version.secret_string_wo_version == 1])
    error_message = "A value is written once; python -m aws rotate writes the next, which an apply has to leave alone."
  }

  assert {
    condition     = alltrue([for secret in aws_secretsmanager_secret.this : secret.kms_key_id == var.kms_key_arn && secret.recovery_window_in_days == 30])
    error_message = "Secrets are encrypted with the installation's key, and can be brought back for 30 days."
  }
}

run "secrets_that_may_go" {
  command = plan

  module {
    source = "./modules/secrets"
  }

  variables {
    protected = false
  }

  assert {
    condition     = alltrue([for secret in aws_secretsmanager_secret.this : secret.recovery_window_in_days == 0])
    error_message = "A secret that waits to be deleted keeps its name from the next installation."
  }
}

# -- environments --------------------------------------------------------------------------------------------

run "environments" {
  command = plan

  module {
    source = "./modules/database"
  }

  assert {
    condition     = { for name in ["development", "staging", "production"] : name => can(regex("multi_az +\\= true", file("environments/${name}.tfvars"))) } == { development = false, staging = false, production = var.multi_az }
    error_message = "Production, and nothing else, has a standby of its database."
  }

  assert {
    condition     = { for name in ["development", "staging", "production"] : name => tonumber(regex("replicas \\= ([0-9]+)", file("environments/${name}.tfvars"))[0]) } == { development = 0, staging = 0, production = var.replicas }
    error_message = "Production, and nothing else, has a second node of Redis."
  }

  assert {
    condition     = length(regexall("(?i)variable \"[^\"]*(password|token|secret)[^\"]*\"", join("\n", [for path in fileset(".", "*.tf") : file(path)]))) == 0 && aws_db_instance.this.password == null
    error_message = "No variable takes a secret."
  }
}
