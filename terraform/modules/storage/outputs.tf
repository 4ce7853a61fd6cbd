output "task_log_bucket" {
  description = "Name of the bucket for the logs of tasks."
  value       = aws_s3_bucket.task_logs.bucket
}

output "task_log_bucket_arn" {
  description = "What the roles' permissions name."
  value       = aws_s3_bucket.task_logs.arn
}

output "access_log_bucket" {
  description = "Name of the bucket for access logs. Each load balancer needs a prefix there."
  # A load balancer tries to write when it is told to: the permission has to be there.
  depends_on = [aws_s3_bucket_policy.access_logs, aws_s3_bucket_server_side_encryption_configuration.access_logs]
  value      = aws_s3_bucket.access_logs.bucket
}
