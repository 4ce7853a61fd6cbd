output "public_load_balancer_security_group_id" {
  description = "Reached from the internet on 80 and 443."
  value       = aws_security_group.this["public-load-balancer"].id
}

output "internal_load_balancer_security_group_id" {
  description = "Reached from agents on 443."
  value       = aws_security_group.this["internal-load-balancer"].id
}

output "role_security_group_ids" {
  description = "The group of each role's instances, by role."
  # Instances that start before their rules exist could not fetch anything.
  depends_on = [aws_vpc_security_group_egress_rule.group, aws_vpc_security_group_egress_rule.internet, aws_vpc_security_group_ingress_rule.group]
  value      = { for role in keys(var.roles) : role => aws_security_group.this[role].id }
}

output "database_security_group_id" {
  description = "Reached on 5432 from the roles that hold a secret of the database."
  value       = aws_security_group.this["database"].id
}

output "redis_security_group_id" {
  description = "Reached on 6379 from the roles that hold the secret of Redis."
  value       = aws_security_group.this["redis"].id
}
