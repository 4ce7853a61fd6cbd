# Which roles there are, what each runs and what each may know. Needs no account: the provider is a mock.

mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["zone-1", "zone-2", "zone-3"] }
  }
}

# Production, with what belongs to one account.
variables {
  environment  = "production"
  account_id   = "123456789012"
  zone_name    = "example.org"
  subdomain    = "jobs"
  image_tag    = "0.1.0-3f2a91c"
  vpc_cidr     = "10.30.0.0/16"
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
}

run "the_whole_platform" {
  command = plan

  assert {
    condition     = keys(module.role) == ["agent", "gateway", "scheduler", "triggerer", "web"]
    error_message = "Every role has a group of its own."
  }

  assert {
    condition     = output.groups == { for role in ["agent", "gateway", "scheduler", "triggerer", "web"] : role => "coinrequest-production-${role}" }
    error_message = "Alarms and the dashboard rely on the groups' names."
  }

  assert {
    condition = { for role, description in local.enabled_roles : role => description.processes } == {
      web       = ["api-server"]
      scheduler = ["scheduler", "dag-processor"]
      triggerer = ["triggerer"]
      agent     = ["agent"]
      gateway   = ["gateway"]
    }
    error_message = "A t2.micro has the memory for these processes together, and for no others."
  }

  assert {
    condition     = length(var.instance_types) == 0
    error_message = "Every role fits a t2.micro. An exception is written down in terraform/README.md with its reason, and here."
  }

  assert {
    condition     = alltrue([for role, size in var.capacity : size.minimum >= 2])
    error_message = "In production one zone may fail."
  }

  assert {
    condition     = toset(local.enabled_roles["agent"].secrets) == toset(["database-reader", "redis"])
    error_message = "An agent, which runs other people's definitions, knows neither the metadata database nor the key that signs tokens."
  }

  assert {
    condition = alltrue([for secret, roles in { jwt-secret = ["scheduler", "web"], api-secret-key = ["web"], people = ["scheduler"] } :
      toset([for role, description in local.enabled_roles : role if contains(description.secrets, secret)]) == toset(roles)
    ])
    error_message = "Who signs tokens, who keeps sessions and who creates users: nobody else knows these secrets."
  }

  assert {
    condition     = local.migrating_role == "scheduler"
    error_message = "One role brings the database up to date."
  }

  assert {
    condition     = local.settings.AIRFLOW__CORE__LOAD_EXAMPLES == "False"
    error_message = "Examples are off."
  }
}

run "the_web_app_alone_for_a_first_look" {
  command = plan

  variables {
    environment   = "development"
    components    = ["web"]
    load_examples = true
  }

  assert {
    condition     = keys(module.role) == ["web"]
    error_message = "The web app alone is one group: no scheduler, no agent, no gateway."
  }

  assert {
    condition     = local.migrating_role == "web" && contains(local.enabled_roles["web"].secrets, "people")
    error_message = "Alone, the web app brings the database up to date, and creates the users."
  }

  assert {
    condition     = local.settings.AIRFLOW__CORE__LOAD_EXAMPLES == "True"
    error_message = "Outside production the examples can be shown."
  }
}

run "mistakes_are_refused" {
  command = plan

  variables {
    # No web app; an image that is another one tomorrow; examples in production.
    components    = ["scheduler"]
    image_tag     = "latest"
    load_examples = true
    cpu_credits   = "none"
    drain_seconds = 200000
    capacity = {
      web       = { minimum = 2, maximum = 1 }
      scheduler = { minimum = 1, maximum = 1 }
      triggerer = { minimum = 1, maximum = 1 }
      agent     = { minimum = 1, maximum = 1 }
      gateway   = { minimum = 1, maximum = 1 }
    }
  }

  expect_failures = [
    var.components,
    var.image_tag,
    var.load_examples,
    var.cpu_credits,
    var.drain_seconds,
    var.capacity,
  ]
}
