# Ways out: the internet gateway for public subnets, NAT for private ones, none for isolated ones.

locals {
  # With one gateway, the first zone's serves all.
  nat_zones    = slice(local.zones, 0, var.nat_gateways)
  nat_zone_for = { for zone in local.zones : zone => contains(local.nat_zones, zone) ? zone : local.nat_zones[0] }
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id

  tags = { Name = var.name }
}

resource "aws_eip" "nat" {
  for_each   = toset(local.nat_zones)
  depends_on = [aws_internet_gateway.this]

  domain = "vpc"

  tags = { Name = "${var.name}-nat-${each.key}" }
}

resource "aws_nat_gateway" "this" {
  for_each   = toset(local.nat_zones)
  depends_on = [aws_internet_gateway.this]

  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = aws_subnet.public[each.key].id

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-public" }
}

# 0.0.0.0/0: the load balancer answers whoever asks, and NAT goes wherever jobs go.
resource "aws_route" "public" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this.id
}

resource "aws_route_table_association" "public" {
  for_each = local.numbers

  route_table_id = aws_route_table.public.id
  subnet_id      = aws_subnet.public[each.key].id
}

resource "aws_route_table" "private" {
  for_each = local.numbers

  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-private-${each.key}" }
}

# 0.0.0.0/0: AWS's own services and what jobs reach; the security groups say on which ports.
resource "aws_route" "private" {
  for_each = local.numbers

  route_table_id         = aws_route_table.private[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[local.nat_zone_for[each.key]].id
}

resource "aws_route_table_association" "private" {
  for_each = local.numbers

  route_table_id = aws_route_table.private[each.key].id
  subnet_id      = aws_subnet.private[each.key].id
}

# No route but the network's own; one that somebody adds by hand is taken away.
resource "aws_route_table" "isolated" {
  vpc_id = aws_vpc.this.id
  route  = []

  tags = { Name = "${var.name}-isolated" }
}

resource "aws_route_table_association" "isolated" {
  for_each = local.numbers

  route_table_id = aws_route_table.isolated.id
  subnet_id      = aws_subnet.isolated[each.key].id
}

# Task logs, image layers and packages are in S3: this way they cost no NAT. Nothing in the isolated subnets uses S3.
resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [for zone in local.zones : aws_route_table.private[zone].id]

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        # The layers of images, the packages and what jobs test lie in buckets of others.
        Sid       = "ReadAnywhere"
        Effect    = "Allow"
        Principal = "*"
        Action    = "s3:GetObject"
        Resource  = "*"
      },
      {
        Sid       = "EverythingElseInThisAccount"
        Effect    = "Allow"
        Principal = "*"
        Action    = "s3:*"
        Resource  = "*"
        Condition = { StringEquals = { "aws:PrincipalAccount" = var.account_id, "aws:ResourceAccount" = var.account_id } }
      },
    ]
  })

  tags = { Name = "${var.name}-s3" }
}
