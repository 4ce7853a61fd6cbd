# Written by whoever runs a task, read by the web server.

resource "aws_s3_bucket" "task_logs" {
  #checkov:skip=CKV_AWS_18:Only the project's roles may read or write it; data events of the account's trail record who did
  #checkov:skip=CKV_AWS_144:Logs of one region's tasks; results and definitions are in the database, which is backed up
  #checkov:skip=CKV2_AWS_62:Nothing acts on a new log
  bucket        = "${var.name}-task-logs-${var.account_id}"
  force_destroy = !var.protected
}

resource "aws_s3_bucket_server_side_encryption_configuration" "task_logs" {
  bucket = aws_s3_bucket.task_logs.id

  rule {
    # One data key for many logs: far fewer calls of KMS.
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_versioning" "task_logs" {
  bucket = aws_s3_bucket.task_logs.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "task_logs" {
  # Versions have to exist before a rule about old ones means something.
  depends_on = [aws_s3_bucket_versioning.task_logs]

  bucket = aws_s3_bucket.task_logs.id

  rule {
    id     = "expire"
    status = "Enabled"

    filter {}

    expiration {
      days = var.task_log_days
    }

    # A log that was overwritten or deleted by mistake can be brought back for a week.
    noncurrent_version_expiration {
      noncurrent_days = 7
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  # Deleting a version leaves a marker; S3 takes this in no rule that also has days.
  rule {
    id     = "markers"
    status = "Enabled"

    filter {}

    expiration {
      expired_object_delete_marker = true
    }
  }
}

resource "aws_s3_bucket_policy" "task_logs" {
  # A policy and the block of public access cannot be written at the same moment.
  depends_on = [aws_s3_bucket_public_access_block.this]

  bucket = aws_s3_bucket.task_logs.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.tls_only["task-logs"] })
}
