output "url" {
  description = "The web app."
  value       = local.url
}

output "health_url" {
  description = "Answers 200 while the web app works."
  value       = "${local.url}/api/v2/version"
}

output "sign_in_secret" {
  description = "The secret with the users' passwords: aws secretsmanager get-secret-value --secret-id ..."
  value       = module.secrets.names["people"]
}

output "image" {
  description = "What runs."
  value       = local.image
}

output "groups" {
  description = "The auto scaling group of each role."
  value       = { for role, group in module.role : role => group.group_name }
}

output "dashboard_url" {
  description = "CloudWatch's dashboard of this environment."
  value       = "https://${var.region}.console.aws.amazon.com/cloudwatch/home?region=${var.region}#dashboards/dashboard/${local.name}"
}
