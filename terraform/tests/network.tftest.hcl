# Who can reach what, and where logs lie. The provider is a mock: no account, no internet. The modules are applied to
# it, not planned alone, because only then does each thing have an ID of its own that an assertion can follow.

mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["zone-c", "zone-a", "zone-d", "zone-b"] }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-1:123456789012:log-group:/coinrequest-production/network" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/coinrequest-production-flow-logs" }
  }
}

# Those of an environment, and those that the modules get from it.
variables {
  environment = "production"
  account_id  = "123456789012"
  region      = "eu-west-1"
  zone_name   = "example.org"
  subdomain   = "jobs"
  image_tag   = "0.1.0-3f2a91c"
  vpc_cidr    = "10.30.0.0/16"

  nat_gateways = 3
  database     = { instance_class = "db.t3.micro", multi_az = true, storage = 20, maximum_storage = 200, backup_days = 14, monitoring_interval = 60 }
  redis        = { node_type = "cache.t3.micro", replicas = 1, snapshot_days = 7 }
  capacity = {
    web       = { minimum = 2, maximum = 6 }
    scheduler = { minimum = 2, maximum = 2 }
    triggerer = { minimum = 2, maximum = 2 }
    agent     = { minimum = 2, maximum = 20 }
    gateway   = { minimum = 2, maximum = 2 }
  }
  cpu_credits            = "unlimited"
  scheduler_idle_seconds = 0.1
  log_days               = 90
  alarm_email            = "operations@example.org"
  monthly_budget         = 450

  name          = "coinrequest-production"
  kms_key_arn   = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  task_log_days = 90
  protected     = true
  vpc_id        = "vpc-0123456789abcdef0"
  roles = {
    web       = { secrets = ["database-owner", "database-reader", "redis"] }
    scheduler = { secrets = ["database-owner", "database-reader", "redis"] }
    triggerer = { secrets = ["database-owner", "database-reader"] }
    agent     = { secrets = ["database-reader", "redis"] }
    gateway   = { secrets = ["database-owner", "database-reader", "redis"] }
  }
}

# -- the network ---------------------------------------------------------------------------------------------

run "network" {
  command = apply

  module {
    source = "./modules/network"
  }

  assert {
    condition     = output.zones == tolist(["zone-a", "zone-b", "zone-c"])
    error_message = "The network lies in exactly three zones, always the same ones."
  }

  assert {
    condition = alltrue([for subnets in [aws_subnet.public, aws_subnet.private, aws_subnet.isolated] :
    toset([for subnet in values(subnets) : subnet.availability_zone]) == toset(["zone-a", "zone-b", "zone-c"])])
    error_message = "Each kind of subnet is in each of the zones."
  }

  assert {
    condition     = length(distinct([for subnet in concat(values(aws_subnet.public), values(aws_subnet.private), values(aws_subnet.isolated)) : subnet.cidr_block])) == 9
    error_message = "No two subnets have the same addresses."
  }

  assert {
    condition     = alltrue([for subnet in concat(values(aws_subnet.public), values(aws_subnet.private), values(aws_subnet.isolated)) : !subnet.map_public_ip_on_launch])
    error_message = "Nothing that starts in a subnet gets a public address by itself."
  }

  assert {
    condition     = length(output.public_subnet_ids) == 3 && length(output.private_subnet_ids) == 3 && length(output.isolated_subnet_ids) == 3
    error_message = "The other modules get three subnets of each kind."
  }

  assert {
    condition     = aws_vpc.this.enable_dns_support && aws_vpc.this.enable_dns_hostnames
    error_message = "Names are resolved within the network."
  }

  assert {
    condition     = length(aws_default_security_group.this.ingress) == 0 && length(aws_default_security_group.this.egress) == 0
    error_message = "The network's own security group lets nothing through."
  }
}

run "routes" {
  command = apply

  module {
    source = "./modules/network"
  }

  assert {
    condition     = alltrue([for zone in output.zones : aws_route.private[zone].nat_gateway_id == aws_nat_gateway.this[zone].id && aws_nat_gateway.this[zone].subnet_id == aws_subnet.public[zone].id])
    error_message = "With three NAT gateways, each zone goes out through its own."
  }

  assert {
    condition     = alltrue([for route in values(aws_route.private) : route.gateway_id == null || route.gateway_id == ""])
    error_message = "Private subnets have no route to the internet gateway."
  }

  assert {
    condition     = alltrue([for zone in output.zones : aws_route_table_association.isolated[zone].route_table_id == aws_route_table.isolated.id && aws_route_table_association.isolated[zone].subnet_id == aws_subnet.isolated[zone].id])
    error_message = "Isolated subnets have a route table of their own."
  }

  assert {
    condition     = length(aws_route_table.isolated.route) == 0 && !contains(concat([aws_route.public.route_table_id], [for route in values(aws_route.private) : route.route_table_id], tolist(aws_vpc_endpoint.s3.route_table_ids)), aws_route_table.isolated.id)
    error_message = "No route leaves the isolated subnets."
  }

  assert {
    condition     = aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway" && aws_vpc_endpoint.s3.service_name == "com.amazonaws.eu-west-1.s3" && toset(aws_vpc_endpoint.s3.route_table_ids) == toset([for table in values(aws_route_table.private) : table.id])
    error_message = "The private subnets reach S3 through an endpoint."
  }

  assert {
    condition = alltrue([for statement in jsondecode(aws_vpc_endpoint.s3.policy).Statement :
    statement.Action == "s3:GetObject" || try(statement.Condition.StringEquals["aws:ResourceAccount"], null) == var.account_id])
    error_message = "Through the endpoint of S3, buckets of other accounts can be read only."
  }

  assert {
    condition     = toset([for rule in aws_network_acl.isolated.ingress : "${rule.cidr_block} ${rule.from_port}"]) == toset(["10.30.64.0/18 5432", "10.30.64.0/18 6379", "10.30.16.0/20 0"])
    error_message = "Isolated subnets admit private ones on 5432 and 6379, and each other."
  }

  assert {
    condition     = alltrue([for rule in aws_network_acl.isolated.egress : contains(["10.30.64.0/18", "10.30.16.0/20"], rule.cidr_block)])
    error_message = "Isolated subnets answer private ones and each other."
  }

  assert {
    condition     = toset(aws_network_acl.isolated.subnet_ids) == toset([for subnet in values(aws_subnet.isolated) : subnet.id])
    error_message = "The network ACL is that of all isolated subnets."
  }

  assert {
    condition     = aws_flow_log.this.traffic_type == "ALL" && aws_flow_log.this.vpc_id == aws_vpc.this.id && aws_flow_log.this.log_destination == aws_cloudwatch_log_group.network.arn
    error_message = "Every connection of the network is logged."
  }

  assert {
    condition     = aws_cloudwatch_log_group.network.kms_key_id == var.kms_key_arn && aws_cloudwatch_log_group.network.retention_in_days == 90 && strcontains(aws_cloudwatch_log_group.network.name, var.name)
    error_message = "Flow logs are encrypted with the environment's key, under a name that the key's policy admits, and end some day."
  }

  assert {
    condition     = alltrue([for resource in jsondecode(aws_iam_role_policy.flow_logs.policy).Statement[0].Resource : startswith(resource, aws_cloudwatch_log_group.network.arn)]) && jsondecode(aws_iam_role.flow_logs.assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == var.account_id
    error_message = "The flow logs' role writes into its own log group only, for this account only."
  }
}

run "one_nat_gateway" {
  command = apply

  module {
    source = "./modules/network"
  }

  variables {
    nat_gateways = 1
  }

  assert {
    condition     = keys(aws_nat_gateway.this) == ["zone-a"] && length(aws_eip.nat) == 1 && alltrue([for route in values(aws_route.private) : route.nat_gateway_id == aws_nat_gateway.this["zone-a"].id])
    error_message = "With one NAT gateway, all zones go out through it."
  }
}

run "two_zones_are_too_few" {
  command = plan

  module {
    source = "./modules/network"
  }

  override_data {
    target = data.aws_availability_zones.this
    values = { names = ["zone-a", "zone-b"] }
  }

  expect_failures = [data.aws_availability_zones.this]
}

# -- the security groups -------------------------------------------------------------------------------------

run "firewall" {
  command = apply

  module {
    source = "./modules/firewall"
  }

  assert {
    condition = toset([for rule in concat(values(aws_vpc_security_group_ingress_rule.public), values(aws_vpc_security_group_ingress_rule.group)) :
    "${rule.security_group_id} ${rule.from_port}-${rule.to_port}" if rule.cidr_ipv4 != null || rule.cidr_ipv6 != null || rule.prefix_list_id != null]) == toset([for port in [80, 443] : "${output.public_load_balancer_security_group_id} ${port}-${port}"])
    error_message = "Addresses are admitted to the public load balancer on 80 and 443, and nowhere else: not on 22, 5432 or 6379."
  }

  assert {
    condition = toset([for rule in values(aws_vpc_security_group_ingress_rule.group) :
      join(" ", [for id in [rule.referenced_security_group_id, rule.security_group_id] : one([for name, group in aws_security_group.this : name if group.id == id])], [rule.from_port])]) == toset([
      "public-load-balancer web 8080", "internal-load-balancer web 8080", "agent internal-load-balancer 443",
      "web database 5432", "scheduler database 5432", "triggerer database 5432", "gateway database 5432", "agent database 5432",
      "web redis 6379", "scheduler redis 6379", "gateway redis 6379", "agent redis 6379",
    ])
    error_message = "Groups admit each other as listed here, and not otherwise."
  }

  assert {
    condition = (toset([for rule in values(aws_vpc_security_group_ingress_rule.group) : "${rule.referenced_security_group_id} ${rule.security_group_id} ${rule.from_port}"]) ==
    toset([for rule in values(aws_vpc_security_group_egress_rule.group) : "${rule.security_group_id} ${rule.referenced_security_group_id} ${rule.from_port}"]))
    error_message = "What one group admits, the other may send, and nothing else."
  }

  assert {
    condition = toset([for rule in values(aws_vpc_security_group_egress_rule.internet) :
      "${one([for name, group in aws_security_group.this : name if group.id == rule.security_group_id])} ${rule.from_port}"]) == toset([
      "web 443", "scheduler 443", "triggerer 443", "agent 443", "gateway 443",
      "agent 80", "agent 587", "agent 465", "gateway 80", "gateway 587", "gateway 465",
    ])
    error_message = "Instances reach HTTPS; agents and gateways also HTTP and mail submission. Load balancers and data reach no address."
  }

  assert {
    condition = alltrue([for rule in concat(values(aws_vpc_security_group_ingress_rule.public), values(aws_vpc_security_group_ingress_rule.group),
    values(aws_vpc_security_group_egress_rule.internet), values(aws_vpc_security_group_egress_rule.group)) : rule.ip_protocol == "tcp" && rule.from_port == rule.to_port && length(rule.description) > 0])
    error_message = "Each rule is about one port of TCP and says what it is for."
  }

  assert {
    condition     = output.role_security_group_ids == { for role in ["web", "scheduler", "triggerer", "agent", "gateway"] : role => aws_security_group.this[role].id } && length(distinct([for group in values(aws_security_group.this) : group.id])) == 9
    error_message = "Each role, load balancer and server has a group of its own."
  }
}

# -- the buckets ---------------------------------------------------------------------------------------------

run "storage" {
  command = apply

  module {
    source = "./modules/storage"
  }

  assert {
    condition = alltrue([for block in values(aws_s3_bucket_public_access_block.this) :
    block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets]) && toset([for block in values(aws_s3_bucket_public_access_block.this) : block.bucket]) == toset([aws_s3_bucket.task_logs.id, aws_s3_bucket.access_logs.id])
    error_message = "No bucket can be made public."
  }

  assert {
    condition     = alltrue([for controls in values(aws_s3_bucket_ownership_controls.this) : controls.rule[0].object_ownership == "BucketOwnerEnforced"])
    error_message = "Policies alone decide about access; there are no ACLs."
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.task_logs.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms" && one(aws_s3_bucket_server_side_encryption_configuration.task_logs.rule).apply_server_side_encryption_by_default[0].kms_master_key_id == var.kms_key_arn
    error_message = "Task logs are encrypted with the environment's key."
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.access_logs.rule).apply_server_side_encryption_by_default[0].sse_algorithm == "AES256"
    error_message = "Access logs are encrypted with the keys of S3, the only ones that load balancers write with."
  }

  assert {
    condition = alltrue([for policy in [aws_s3_bucket_policy.task_logs.policy, aws_s3_bucket_policy.access_logs.policy] :
    contains([for statement in jsondecode(policy).Statement : "${statement.Effect} ${try(statement.Condition.Bool["aws:SecureTransport"], "")}"], "Deny false")])
    error_message = "The buckets are reached over TLS only."
  }

  assert {
    condition     = [for statement in jsondecode(aws_s3_bucket_policy.task_logs.policy).Statement : statement if statement.Effect == "Allow"] == []
    error_message = "The bucket of task logs admits nobody itself; the roles' permissions do."
  }

  assert {
    condition = one([for statement in jsondecode(aws_s3_bucket_policy.access_logs.policy).Statement :
      "${statement.Principal.Service} ${statement.Action} ${endswith(statement.Resource, "/AWSLogs/123456789012/*")} ${statement.Condition.ArnLike["aws:SourceArn"]}" if statement.Effect == "Allow"
    ]) == "logdelivery.elasticloadbalancing.amazonaws.com s3:PutObject true arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/*"
    error_message = "Load balancers of this account and region write access logs, and nobody else does."
  }

  assert {
    condition     = aws_s3_bucket_versioning.task_logs.versioning_configuration[0].status == "Enabled" && aws_s3_bucket_lifecycle_configuration.task_logs.rule[0].expiration[0].days == 90 && aws_s3_bucket_lifecycle_configuration.access_logs.rule[0].expiration[0].days == 90
    error_message = "An overwritten task log can be brought back, and all logs end some day."
  }

  assert {
    condition     = !aws_s3_bucket.task_logs.force_destroy && !aws_s3_bucket.access_logs.force_destroy
    error_message = "A protected bucket that holds something is not deleted."
  }

  assert {
    condition     = alltrue([for bucket in [aws_s3_bucket.task_logs, aws_s3_bucket.access_logs] : startswith(bucket.bucket, "coinrequest-production-") && endswith(bucket.bucket, "-123456789012")])
    error_message = "The buckets' names are unique: they carry environment and account."
  }
}

run "unprotected_storage" {
  command = apply

  module {
    source = "./modules/storage"
  }

  variables {
    protected = false
  }

  assert {
    condition     = aws_s3_bucket.task_logs.force_destroy && aws_s3_bucket.access_logs.force_destroy
    error_message = "Without protection, destroy leaves no bucket."
  }
}

# -- what is refused -----------------------------------------------------------------------------------------

run "another_region_is_refused" {
  command = plan

  variables {
    region = "elsewhere-1"
  }

  expect_failures = [var.region]
}

run "wrong_values_are_refused" {
  command = plan

  variables {
    environment   = "test"
    account_id    = "1234"
    subdomain     = "jobs.of"
    image_tag     = "latest"
    components    = ["agent"]
    cpu_credits   = "many"
    drain_seconds = 10
    vpc_cidr      = "10.30.0.0/20"
    nat_gateways  = 2
    alarm_email   = "somebody"
    capacity      = { web = { minimum = 0, maximum = 1 } }
    database      = { instance_class = "db.t3.micro", multi_az = false, storage = 20, maximum_storage = 50, backup_days = 0, monitoring_interval = 0 }
  }

  expect_failures = [
    var.environment, var.account_id, var.subdomain, var.image_tag, var.components, var.cpu_credits, var.drain_seconds,
    var.vpc_cidr, var.nat_gateways, var.alarm_email, var.capacity, var.database,
  ]
}

run "examples_in_production_are_refused" {
  command = plan

  variables {
    load_examples = true
  }

  expect_failures = [var.load_examples]
}
