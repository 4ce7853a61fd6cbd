# Alarms, the topic, the budget and the dashboard. The module is tried by itself: what it is given is as in production.

mock_provider "aws" {
  override_during = plan

  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-west-1:123456789012:coinrequest-production-alarms" }
  }

  mock_resource "aws_cloudwatch_metric_alarm" {
    defaults = { arn = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:mock" }
  }
}

variables {
  name       = "coinrequest-production"
  account_id = "123456789012"
  region     = "eu-west-1"
  namespace  = "coinrequest/production"
  roles      = ["web", "scheduler", "triggerer", "agent", "gateway"]
  minimums   = { web = 2, scheduler = 2, triggerer = 2, agent = 2, gateway = 2 }
  group_names = {
    web       = "coinrequest-production-web"
    scheduler = "coinrequest-production-scheduler"
    triggerer = "coinrequest-production-triggerer"
    agent     = "coinrequest-production-agent"
    gateway   = "coinrequest-production-gateway"
  }
  cpu_credits          = "unlimited"
  load_balancer_suffix = "app/coinrequest-production/0123456789abcdef"
  target_group_suffix  = "targetgroup/coinrequest-production-public/0123456789abcdef"
  certificate_arn      = "arn:aws:acm:eu-west-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
  web_acl_name         = "coinrequest-production"
  database_identifier  = "coinrequest-production"
  database_storage     = 20
  database_connections = 100
  redis_cluster_ids    = ["coinrequest-production-001", "coinrequest-production-002"]
  kms_key_arn          = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  alarm_email          = "operations@example.org"
  monthly_budget       = 450
}

run "who_is_told" {
  command = plan

  module {
    source = "./modules/observability"
  }

  assert {
    condition     = aws_sns_topic.this.kms_master_key_id == var.kms_key_arn
    error_message = "The topic has to be encrypted with the environment's key."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_sns_topic_policy.this.policy).Statement :
      statement.Action == "sns:Publish" && try(keys(statement.Principal), []) == ["Service"] &&
      try(statement.Condition.StringEquals["aws:SourceAccount"], "") == "123456789012"
      if statement.Effect == "Allow"
    ])
    error_message = "Only services, and only for this account, may write to the topic."
  }

  assert {
    condition = toset(flatten([
      for statement in jsondecode(aws_sns_topic_policy.this.policy).Statement : try(statement.Principal.Service, [])
    ])) == toset(["cloudwatch.amazonaws.com", "events.rds.amazonaws.com"])
    error_message = "Alarms and the database's events have to get into the topic, and nothing else."
  }

  assert {
    condition = anytrue([
      for statement in jsondecode(aws_sns_topic_policy.this.policy).Statement :
      statement.Effect == "Deny" && try(statement.Condition.Bool["aws:SecureTransport"], "") == "false"
    ])
    error_message = "The topic has to refuse what comes without TLS."
  }

  assert {
    condition = (
      aws_sns_topic_subscription.email.endpoint == "operations@example.org" &&
      aws_sns_topic_subscription.email.protocol == "email" &&
      aws_sns_topic_subscription.email.topic_arn == aws_sns_topic.this.arn
    )
    error_message = "alarm_email has to get what the topic takes."
  }

  assert {
    condition = alltrue([
      for alarm in merge(aws_cloudwatch_metric_alarm.this, aws_cloudwatch_metric_alarm.share) :
      alarm.alarm_actions == toset([aws_sns_topic.this.arn]) && alarm.ok_actions == toset([aws_sns_topic.this.arn]) && alarm.actions_enabled != false
    ])
    error_message = "Each alarm has to say when it begins and when it ends."
  }

  assert {
    condition = alltrue([
      for name in output.alarm_names : startswith(name, "coinrequest-production-")
    ])
    error_message = "Each alarm's name has to say whose it is."
  }

  assert {
    condition = (
      contains(aws_db_event_subscription.this.event_categories, "failover") &&
      contains(aws_db_event_subscription.this.event_categories, "failure") &&
      contains(aws_db_event_subscription.this.event_categories, "low storage") &&
      aws_db_event_subscription.this.sns_topic == aws_sns_topic.this.arn
    )
    error_message = "A failover, a failure and a full disk of the database have to be told."
  }
}

run "each_alarm_has_its_threshold" {
  command = plan

  module {
    source = "./modules/observability"
  }

  # metric, threshold, comparison, and what silence means.
  assert {
    condition = {
      for name, alarm in aws_cloudwatch_metric_alarm.this : name => [
        alarm.metric_name, alarm.threshold, startswith(alarm.comparison_operator, "Less") ? "<" : ">", alarm.treat_missing_data
      ]
      } == {
      no-healthy-target = ["HealthyHostCount", 1, "<", "breaching"]
      web-below-minimum = ["HealthyHostCount", 2, "<", "breaching"]
      unhealthy-targets = ["UnHealthyHostCount", 0, ">", "notBreaching"]
      response-time     = ["TargetResponseTime", 2, ">", "notBreaching"]
      certificate-days  = ["DaysToExpiry", 30, "<", "ignore"]
      blocked-requests  = ["BlockedRequests", 1000, ">", "notBreaching"]

      gateway-silent          = ["TasksActive", 1, "<", "breaching"]
      notices-pending         = ["OldestPendingNoticeSeconds", 900, ">", "ignore"]
      completions-waiting     = ["CompletionsWaiting", 500, ">", "ignore"]
      scheduler-heartbeat     = ["SchedulerHeartbeatSeconds", 60, ">", "breaching"]
      dag-processor-heartbeat = ["DagProcessorHeartbeatSeconds", 120, ">", "breaching"]
      triggerer-heartbeat     = ["TriggererHeartbeatSeconds", 60, ">", "breaching"]
      job-queue-age           = ["OldestQueuedJobSeconds", 120, ">", "ignore"]
      queue-age               = ["OldestWaitingTaskSeconds", 600, ">", "ignore"]

      # A fifth of 20 GiB; 80 of 100.
      database-storage     = ["FreeStorageSpace", 4294967296, "<", "ignore"]
      database-connections = ["DatabaseConnections", 80, ">", "ignore"]
      database-cpu         = ["CPUUtilization", 80, ">", "ignore"]
      database-memory      = ["FreeableMemory", 67108864, "<", "ignore"]
      database-credits     = ["CPUCreditBalance", 20, "<", "notBreaching"]

      redis-memory-1      = ["DatabaseMemoryUsagePercentage", 75, ">", "ignore"]
      redis-memory-2      = ["DatabaseMemoryUsagePercentage", 75, ">", "ignore"]
      redis-evictions-1   = ["Evictions", 0, ">", "ignore"]
      redis-evictions-2   = ["Evictions", 0, ">", "ignore"]
      redis-cpu-1         = ["EngineCPUUtilization", 80, ">", "ignore"]
      redis-cpu-2         = ["EngineCPUUtilization", 80, ">", "ignore"]
      redis-connections-1 = ["CurrConnections", 1000, ">", "ignore"]
      redis-connections-2 = ["CurrConnections", 1000, ">", "ignore"]

      web-instances       = ["GroupInServiceInstances", 2, "<", "breaching"]
      scheduler-instances = ["GroupInServiceInstances", 2, "<", "breaching"]
      triggerer-instances = ["GroupInServiceInstances", 2, "<", "breaching"]
      agent-instances     = ["GroupInServiceInstances", 2, "<", "breaching"]
      gateway-instances   = ["GroupInServiceInstances", 2, "<", "breaching"]
      web-credits         = ["CPUSurplusCreditBalance", 120, ">", "notBreaching"]
      scheduler-credits   = ["CPUSurplusCreditBalance", 120, ">", "notBreaching"]
      triggerer-credits   = ["CPUSurplusCreditBalance", 120, ">", "notBreaching"]
      agent-credits       = ["CPUSurplusCreditBalance", 120, ">", "notBreaching"]
      gateway-credits     = ["CPUSurplusCreditBalance", 120, ">", "notBreaching"]
    }
    error_message = "An alarm is missing, is new, or has another threshold: change docs/how-to/aws-alarms.md with it."
  }

  assert {
    condition     = toset(keys(aws_cloudwatch_metric_alarm.share)) == toset(["target-errors", "load-balancer-errors"])
    error_message = "5xx of the web servers and of the load balancer each have their alarm."
  }

  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.share : alarm.threshold == 5 && anytrue([
        for query in alarm.metric_query : strcontains(query.expression, ">= 20") if query.return_data == true
      ])
    ])
    error_message = "Errors are a share of the requests, and a handful of requests is no proof."
  }

  assert {
    condition = alltrue([
      for alarm in aws_cloudwatch_metric_alarm.this :
      alarm.statistic == (alarm.metric_name == "TasksActive" ? "SampleCount" : "Maximum") && alarm.dimensions == null
      if alarm.namespace == "coinrequest/production"
    ])
    error_message = "All gateways say the same: a sum or an average over them would be wrong."
  }
}

run "the_web_app_alone_waits_for_nobody_else" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    roles       = ["web"]
    minimums    = { web = 1 }
    group_names = { web = "coinrequest-production-web" }
    cpu_credits = "standard"
  }

  assert {
    condition = length([
      for alarm in aws_cloudwatch_metric_alarm.this : alarm if alarm.namespace == "coinrequest/production"
    ]) == 0
    error_message = "Without a gateway there are no metrics that an alarm could watch."
  }

  assert {
    condition = toset([for name, alarm in aws_cloudwatch_metric_alarm.this : name if strcontains(alarm.namespace, "AutoScaling") || alarm.namespace == "AWS/EC2"]) == toset([
      "web-instances", "web-credits"
    ])
    error_message = "A role that does not run has no alarms."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.this["web-credits"].metric_name == "CPUCreditBalance" && aws_cloudwatch_metric_alarm.this["web-credits"].threshold == 10
    error_message = "A standard instance that has no credits left is slow."
  }

  assert {
    condition     = !contains(keys(aws_cloudwatch_metric_alarm.this), "web-below-minimum")
    error_message = "Fewer than one is none, for which there is an alarm."
  }

  assert {
    condition     = !strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "Heartbeat") && !strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "agent")
    error_message = "The dashboard shows what runs."
  }
}

run "no_agents_no_queue" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    roles = ["web", "gateway"]
  }

  assert {
    condition = toset([for name, alarm in aws_cloudwatch_metric_alarm.this : name if alarm.namespace == "coinrequest/production"]) == toset([
      "gateway-silent", "notices-pending", "completions-waiting"
    ])
    error_message = "A gateway alone is watched for its own work."
  }
}

run "money" {
  command = plan

  module {
    source = "./modules/observability"
  }

  assert {
    condition = (
      aws_budgets_budget.this.limit_amount == "450" && aws_budgets_budget.this.limit_unit == "USD" &&
      aws_budgets_budget.this.time_unit == "MONTHLY" && aws_budgets_budget.this.budget_type == "COST"
    )
    error_message = "The budget is the environment's, a month."
  }

  assert {
    condition     = length(aws_budgets_budget.this.cost_filter) == 0
    error_message = "The budget sees the whole account; a tag that nobody activated would hide all costs."
  }

  assert {
    condition = { for told in aws_budgets_budget.this.notification : told.notification_type => told.threshold } == { ACTUAL = 80, FORECASTED = 100 } && alltrue([
      for told in aws_budgets_budget.this.notification : told.subscriber_email_addresses == toset(["operations@example.org"])
    ])
    error_message = "alarm_email is told at 80 % of what was spent, and when more than all is to be expected."
  }
}

run "the_dashboard_is_whole" {
  command = plan

  module {
    source = "./modules/observability"
  }

  assert {
    condition = toset([
      for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.properties.markdown if widget.type == "text"
      ]) == toset([
      "## Traffic", "## Jobs", "## Instances", "## Agents", "## Database", "## Redis",
      "## Credits: what is left, and what is paid for beyond it",
    ])
    error_message = "A row of the dashboard is missing."
  }

  assert {
    condition = alltrue([
      for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets :
      widget.x + widget.width <= 24 && floor(widget.x) == widget.x && try(length(widget.properties.metrics) > 0, widget.type != "metric")
    ])
    error_message = "CloudWatch's grid has 24 columns, and a chart without metrics is refused."
  }

  assert {
    condition = length(one([
      for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.properties.alarms if widget.type == "alarm"
    ])) == length(output.alarm_names)
    error_message = "The dashboard begins with all alarms."
  }
}
