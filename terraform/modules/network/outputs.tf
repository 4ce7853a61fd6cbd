output "vpc_id" {
  description = "The network."
  value       = aws_vpc.this.id
}

output "zones" {
  description = "The three zones, in the order of the subnets."
  value       = local.zones
}

output "public_subnet_ids" {
  description = "For the public load balancer."
  value       = [for zone in local.zones : aws_subnet.public[zone].id]
}

output "private_subnet_ids" {
  description = "For the instances and the internal load balancer. They have a way out."
  # Instances that start before their route exists could not fetch anything.
  depends_on = [aws_route.private, aws_route_table_association.private, aws_vpc_endpoint.s3]
  value      = [for zone in local.zones : aws_subnet.private[zone].id]
}

output "isolated_subnet_ids" {
  description = "For the database and Redis."
  value       = [for zone in local.zones : aws_subnet.isolated[zone].id]
}
