output "topic_arn" {
  description = "Takes alarms and events; a mail goes out for each. Whoever writes to it may do so once this is known."
  value       = aws_sns_topic.this.arn
  depends_on  = [aws_sns_topic_policy.this]
}

output "alarm_names" {
  description = "Every alarm. docs/how-to/aws-alarms.md says what each means."
  value       = sort([for alarm in local.alarms : alarm.alarm_name])
}
