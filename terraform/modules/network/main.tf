# The network, over three zones. Of the three kinds of subnets, each can be reached from the one before it only:
#
#   public     the load balancer and the ways out (NAT)
#   private    the instances: out through NAT, nobody comes in
#   isolated   the data: no route leaves the network
#
# The /16 is cut so that each kind is one block: 0 public (/20), 1 isolated (/20), 4 to 7 private (/18). The rest is free.

locals {
  zones          = slice(sort(data.aws_availability_zones.this.names), 0, 3)
  numbers        = { for number, zone in local.zones : zone => number }
  public_block   = cidrsubnet(var.vpc_cidr, 4, 0)
  isolated_block = cidrsubnet(var.vpc_cidr, 4, 1)
  private_block  = cidrsubnet(var.vpc_cidr, 2, 1)
}

data "aws_availability_zones" "this" {
  #checkov:skip=CKV_AWS_394:The first three by name are taken, so a fourth zone changes nothing
  state = "available"

  # No local zones: they lack load balancers and databases.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }

  lifecycle {
    postcondition {
      condition     = length(self.names) >= 3
      error_message = "The network needs three zones of the region, and fewer are available."
    }
  }
}

resource "aws_vpc" "this" {
  cidr_block           = var.vpc_cidr
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = var.name }
}

# What is in no group of its own may talk to nobody.
resource "aws_default_security_group" "this" {
  vpc_id  = aws_vpc.this.id
  ingress = []
  egress  = []

  tags = { Name = "${var.name}-default" }
}

resource "aws_subnet" "public" {
  for_each = local.numbers

  vpc_id                  = aws_vpc.this.id
  availability_zone       = each.key
  cidr_block              = cidrsubnet(local.public_block, 4, each.value)
  map_public_ip_on_launch = false

  tags = { Name = "${var.name}-public-${each.key}" }
}

resource "aws_subnet" "private" {
  for_each = local.numbers

  vpc_id                  = aws_vpc.this.id
  availability_zone       = each.key
  cidr_block              = cidrsubnet(local.private_block, 2, each.value)
  map_public_ip_on_launch = false

  tags = { Name = "${var.name}-private-${each.key}" }
}

resource "aws_subnet" "isolated" {
  for_each = local.numbers

  vpc_id                  = aws_vpc.this.id
  availability_zone       = each.key
  cidr_block              = cidrsubnet(local.isolated_block, 4, each.value)
  map_public_ip_on_launch = false

  tags = { Name = "${var.name}-isolated-${each.key}" }
}

# A second lock on the data: whatever a security group may one day allow by mistake, only the instances' subnets reach
# the two servers, and the servers answer nobody else.
resource "aws_network_acl" "isolated" {
  vpc_id     = aws_vpc.this.id
  subnet_ids = [for zone in local.zones : aws_subnet.isolated[zone].id]

  ingress {
    rule_no    = 100
    action     = "allow"
    protocol   = "tcp"
    cidr_block = local.private_block
    from_port  = 5432
    to_port    = 5432
  }

  ingress {
    rule_no    = 110
    action     = "allow"
    protocol   = "tcp"
    cidr_block = local.private_block
    from_port  = 6379
    to_port    = 6379
  }

  # Replicas follow their primary from another zone.
  ingress {
    rule_no    = 120
    action     = "allow"
    protocol   = "-1"
    cidr_block = local.isolated_block
    from_port  = 0
    to_port    = 0
  }

  # A network ACL has no memory: an answer goes to whichever port the question came from.
  egress {
    rule_no    = 100
    action     = "allow"
    protocol   = "tcp"
    cidr_block = local.private_block
    from_port  = 1024
    to_port    = 65535
  }

  egress {
    rule_no    = 120
    action     = "allow"
    protocol   = "-1"
    cidr_block = local.isolated_block
    from_port  = 0
    to_port    = 0
  }

  tags = { Name = "${var.name}-isolated" }
}
