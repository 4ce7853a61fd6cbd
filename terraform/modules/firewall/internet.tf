# The only rules with addresses.

locals {
  # HTTPS: AWS's own services, for every instance, and what jobs and notices reach.
  # HTTP and mail (submission, never port 25): what jobs and notices reach, which are the agents' and gateways' work.
  outward = merge(
    { for role in keys(var.roles) : "${role}-https" => { role = role, port = 443, for = "HTTPS: AWS, and what jobs and notices reach" } },
    merge([
      for role in ["agent", "gateway"] : {
        "${role}-http"       = { role = role, port = 80, for = "HTTP: what jobs and notices reach" }
        "${role}-submission" = { role = role, port = 587, for = "Mail: submission with STARTTLS" }
        "${role}-smtps"      = { role = role, port = 465, for = "Mail: submission over TLS" }
      }
    ]...),
  )
}

resource "aws_vpc_security_group_ingress_rule" "public" {
  #checkov:skip=CKV_AWS_260:Port 80 answers with a redirect to HTTPS and nothing else
  for_each = { http = { port = 80, for = "HTTP, which is redirected" }, https = { port = 443, for = "HTTPS" } }

  security_group_id = aws_security_group.this["public-load-balancer"].id
  description       = "From the internet: ${each.value.for}"
  # Everybody: it is the web app's door. The web application firewall stands behind it.
  cidr_ipv4   = "0.0.0.0/0"
  ip_protocol = "tcp"
  from_port   = each.value.port
  to_port     = each.value.port

  tags = { Name = "internet-${each.key}" }
}

resource "aws_vpc_security_group_egress_rule" "internet" {
  for_each = local.outward

  security_group_id = aws_security_group.this[each.value.role].id
  description       = "To the internet: ${each.value.for}"
  # Anywhere: nobody knows beforehand which addresses a job's URL, a price source or a mail server has.
  cidr_ipv4   = "0.0.0.0/0"
  ip_protocol = "tcp"
  from_port   = each.value.port
  to_port     = each.value.port

  tags = { Name = each.key }
}
