output "host" {
  description = "The name of the server, which its certificate carries. A fail-over keeps it."
  value       = aws_db_instance.this.address
}

output "identifier" {
  description = "The instance, for alarms."
  value       = aws_db_instance.this.identifier
}

output "master_secret_arn" {
  description = "The secret with the master password, which RDS made and rotates."
  value       = one(aws_db_instance.this.master_user_secret[*].secret_arn)
}

output "maximum_connections" {
  description = "How many connections the server lets in."
  value       = local.maximum_connections
}
