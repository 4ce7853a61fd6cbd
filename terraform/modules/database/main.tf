# RDS for PostgreSQL: Airflow's metadata, the definitions of jobs and their results.

resource "aws_db_subnet_group" "this" {
  name        = var.name
  description = "Subnets of ${var.name} without a route out"
  subnet_ids  = var.subnet_ids
}

resource "aws_db_instance" "this" {
  #checkov:skip=CKV_AWS_157:A standby costs as much as the database; production's variables have it, and a test says so
  #checkov:skip=CKV_AWS_226:The version is pinned; a new one is a commit that staging runs first. RDS forces the upgrade only when a version ends
  #checkov:skip=CKV_AWS_293:On unless an environment is about to be destroyed (variable protected)
  #checkov:skip=CKV_AWS_118:Costs money in CloudWatch Logs; on where the environment's variables say so
  #checkov:skip=CKV_AWS_161:Passwords rotate by python -m aws rotate; a pool of SQLAlchemy cannot ask for a new IAM token every 15 minutes
  identifier     = var.name
  engine         = "postgres"
  engine_version = "17.9"
  instance_class = var.instance_class

  # The processes' own roles are made at boot; nobody works as the master but who makes them.
  db_name                       = "airflow"
  username                      = "postgres"
  manage_master_user_password   = true
  master_user_secret_kms_key_id = var.kms_key_arn

  storage_type          = "gp3"
  allocated_storage     = var.storage
  max_allocated_storage = var.maximum_storage
  storage_encrypted     = true
  kms_key_id            = var.kms_key_arn

  multi_az               = var.multi_az
  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [var.security_group_id]
  publicly_accessible    = false
  network_type           = "IPV4"
  ca_cert_identifier     = "rds-ca-rsa2048-g1"
  parameter_group_name   = aws_db_parameter_group.this.name

  # UTC: backups after midnight in Ireland, changes before dawn.
  backup_retention_period    = var.backup_days
  backup_window              = "01:30-02:30"
  maintenance_window         = "sun:03:00-sun:04:00"
  auto_minor_version_upgrade = false
  # What restarts the database waits for that window, but for an environment that nobody depends on.
  apply_immediately = !var.protected

  copy_tags_to_snapshot     = true
  deletion_protection       = var.protected
  skip_final_snapshot       = !var.protected
  final_snapshot_identifier = var.protected ? "${var.name}-final" : null
  delete_automated_backups  = !var.protected

  # 7 days cost nothing, on every class that PostgreSQL has.
  performance_insights_enabled          = true
  performance_insights_kms_key_id       = var.kms_key_arn
  performance_insights_retention_period = 7

  monitoring_interval = var.monitoring_interval
  monitoring_role_arn = one(aws_iam_role.monitoring[*].arn)

  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]

  # Before RDS makes them itself: without an end, and not encrypted with this key.
  depends_on = [aws_cloudwatch_log_group.this]
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:How long logs are kept is the environment's decision (log_days)
  for_each = toset(["postgresql", "upgrade"])

  name              = "/aws/rds/instance/${var.name}/${each.key}"
  retention_in_days = var.log_days
  kms_key_id        = var.kms_key_arn
}

# -- metrics of the operating system (enhanced monitoring) ---------------------------------------------------

resource "aws_iam_role" "monitoring" {
  count = var.monitoring_interval > 0 ? 1 : 0

  name = "${var.name}-database-monitoring"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "monitoring.rds.amazonaws.com" }
      Action    = "sts:AssumeRole"
      # For this database of this account, whatever another one is told to ask for.
      Condition = {
        StringEquals = { "aws:SourceAccount" = split(":", var.kms_key_arn)[4] }
        ArnLike      = { "aws:SourceArn" = "arn:aws:rds:*:*:db:${var.name}" }
      }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  count = var.monitoring_interval > 0 ? 1 : 0

  role       = aws_iam_role.monitoring[0].name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}
