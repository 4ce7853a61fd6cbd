output "group_name" {
  description = "The auto scaling group."
  value       = aws_autoscaling_group.this.name
}

output "role_name" {
  description = "The IAM role of the instances."
  value       = aws_iam_role.this.name
}

output "log_group_name" {
  description = "Where the processes' logs are."
  value       = aws_cloudwatch_log_group.this.name
}
