output "arns" {
  description = "The address of each secret, by short name. Who uses one waits until it has a value."
  value       = { for short, version in aws_secretsmanager_secret_version.this : short => version.arn }
}

output "names" {
  description = "The name of each secret in Secrets Manager, by short name."
  value       = { for short, secret in aws_secretsmanager_secret.this : short => secret.name }
}
