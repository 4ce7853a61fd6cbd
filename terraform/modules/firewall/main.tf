# Who may talk to whom. A group's rules name other groups; addresses appear only where the internet does (internet.tf).

locals {
  database_clients = [for role, description in var.roles : role if length(setintersection(description.secrets, ["database-owner", "database-reader"])) > 0]
  redis_clients    = [for role, description in var.roles : role if contains(description.secrets, "redis")]

  # From, to, port: both ends get a rule, the one to let out and the other to let in.
  connections = concat(
    [
      { from = "public-load-balancer", to = "web", port = 8080, for = "requests of people and programs" },
      { from = "internal-load-balancer", to = "web", port = 8080, for = "requests of agents" },
      # The execution API, which the public load balancer does not show. Nobody but agents calls it.
      { from = "agent", to = "internal-load-balancer", port = 443, for = "reports about tasks" },
    ],
    [for role in local.database_clients : { from = role, to = "database", port = 5432, for = "PostgreSQL" }],
    [for role in local.redis_clients : { from = role, to = "redis", port = 6379, for = "Redis" }],
  )

  by_name = { for connection in local.connections : "${connection.from}-to-${connection.to}" => connection }

  groups = merge(
    {
      public-load-balancer   = "The load balancer that the internet reaches"
      internal-load-balancer = "The load balancer that agents reach"
      database               = "PostgreSQL"
      redis                  = "Redis"
    },
    { for role in keys(var.roles) : role => "Instances of the role ${role}" },
  )
}

resource "aws_security_group" "this" {
  #checkov:skip=CKV2_AWS_5:Attached by the modules that get the group's ID
  for_each = local.groups

  name        = "${var.name}-${each.key}"
  description = each.value
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_vpc_security_group_egress_rule" "group" {
  for_each = local.by_name

  security_group_id            = aws_security_group.this[each.value.from].id
  description                  = "To ${each.value.to}: ${each.value.for}"
  referenced_security_group_id = aws_security_group.this[each.value.to].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port

  tags = { Name = each.key }
}

resource "aws_vpc_security_group_ingress_rule" "group" {
  for_each = local.by_name

  security_group_id            = aws_security_group.this[each.value.to].id
  description                  = "From ${each.value.from}: ${each.value.for}"
  referenced_security_group_id = aws_security_group.this[each.value.from].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port

  tags = { Name = each.key }
}
