# Who is told, and of what besides alarms. The alarms themselves: alarms*.tf; docs/how-to/aws-alarms.md says what each means.

resource "aws_sns_topic" "this" {
  name              = "${var.name}-alarms"
  kms_master_key_id = var.kms_key_arn
}

resource "aws_sns_topic_policy" "this" {
  arn = aws_sns_topic.this.arn

  # Auto Scaling writes as a role of this account, whose own policy admits it.
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AlarmsAndEventsOfThisAccount"
        Effect    = "Allow"
        Principal = { Service = ["cloudwatch.amazonaws.com", "events.rds.amazonaws.com"] }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.this.arn
        Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
      },
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.this.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

# Nothing arrives until the address has consented: AWS sends it a mail with a link.
resource "aws_sns_topic_subscription" "email" {
  topic_arn = aws_sns_topic.this.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

# What the database does by itself and no metric shows.
resource "aws_db_event_subscription" "this" {
  # RDS tries the topic at once.
  depends_on = [aws_sns_topic_policy.this]

  name             = var.name
  sns_topic        = aws_sns_topic.this.arn
  source_type      = "db-instance"
  source_ids       = [var.database_identifier]
  event_categories = ["availability", "configuration change", "failover", "failure", "low storage", "maintenance", "recovery"]
}
