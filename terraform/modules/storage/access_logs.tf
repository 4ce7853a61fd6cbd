# Written by the load balancers: every request.

resource "aws_s3_bucket" "access_logs" {
  #checkov:skip=CKV_AWS_18:It holds access logs itself
  #checkov:skip=CKV_AWS_21:A log is written once under a name of its own and never changed
  #checkov:skip=CKV_AWS_144:Logs of one region's load balancers
  #checkov:skip=CKV_AWS_145:Load balancers can write with the keys of S3 only
  #checkov:skip=CKV2_AWS_62:Nothing acts on a new log
  bucket        = "${var.name}-access-logs-${var.account_id}"
  force_destroy = !var.protected
}

resource "aws_s3_bucket_server_side_encryption_configuration" "access_logs" {
  bucket = aws_s3_bucket.access_logs.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "access_logs" {
  bucket = aws_s3_bucket.access_logs.id

  rule {
    id     = "expire"
    status = "Enabled"

    filter {}

    expiration {
      days = var.log_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

resource "aws_s3_bucket_policy" "access_logs" {
  # A policy and the block of public access cannot be written at the same moment.
  depends_on = [aws_s3_bucket_public_access_block.this]

  bucket = aws_s3_bucket.access_logs.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(local.tls_only["access-logs"], [{
      # The service itself, since AWS no longer recommends the account of each region's load balancers:
      # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
      Sid       = "LoadBalancersOfThisAccountWrite"
      Effect    = "Allow"
      Principal = { Service = "logdelivery.elasticloadbalancing.amazonaws.com" }
      Action    = "s3:PutObject"
      # Each load balancer writes below a prefix of its own.
      Resource  = "${aws_s3_bucket.access_logs.arn}/*/AWSLogs/${var.account_id}/*"
      Condition = { ArnLike = { "aws:SourceArn" = "arn:aws:elasticloadbalancing:${var.region}:${var.account_id}:loadbalancer/*" } }
    }])
  })
}
