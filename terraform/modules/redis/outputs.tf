output "host" {
  description = "The name of the node that writes. A fail-over keeps it."
  value       = aws_elasticache_replication_group.this.primary_endpoint_address

  # Nobody presents the token before it is set.
  depends_on = [terraform_data.token]
}

output "replication_group_id" {
  description = "The group, to rotate its token."
  value       = aws_elasticache_replication_group.this.id
}

output "cluster_ids" {
  description = "The nodes, for alarms. AWS names them in this way, so that they are known before they exist."
  value       = [for number in range(1, var.replicas + 2) : format("%s-%03d", var.name, number)]
}
