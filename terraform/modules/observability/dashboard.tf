# One page for a look: each row is a heading and its charts, which share the width.

locals {
  # What a chart shows of each role that runs.
  by_group = { for metric in ["GroupInServiceInstances", "CPUUtilization", "CPUCreditBalance", "CPUSurplusCreditsCharged"] :
    metric => [for role in sort(var.roles) : [
      startswith(metric, "Group") ? "AWS/AutoScaling" : "AWS/EC2", metric, "AutoScalingGroupName", var.group_names[role], { label = role }
  ]] }

  rows = concat(
    [{
      heading = "Traffic"
      charts = [
        { title = "Requests", stat = "Sum", metrics = [
          ["AWS/ApplicationELB", "RequestCount", "LoadBalancer", var.load_balancer_suffix, { label = "requests" }],
          ["AWS/WAFV2", "BlockedRequests", "WebACL", var.web_acl_name, "Region", var.region, "Rule", "ALL", { label = "refused by the firewall" }],
        ] },
        { title = "Errors", stat = "Sum", metrics = [for metric in ["HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count", "HTTPCode_Target_4XX_Count"] :
          ["AWS/ApplicationELB", metric, "LoadBalancer", var.load_balancer_suffix]
        ] },
        { title = "Seconds to an answer", stat = "p95", metrics = [for stat in ["p50", "p95", "p99"] :
          ["AWS/ApplicationELB", "TargetResponseTime", "LoadBalancer", var.load_balancer_suffix, { label = stat, stat = stat }]
        ] },
        { title = "Web servers", stat = "Minimum", metrics = [for metric in ["HealthyHostCount", "UnHealthyHostCount"] :
          ["AWS/ApplicationELB", metric, "LoadBalancer", var.load_balancer_suffix, "TargetGroup", var.target_group_suffix]
        ] },
      ]
    }],
    [for row in [{
      heading = "Jobs"
      charts = [
        { title = "Tasks", stat = "Maximum", metrics = [for metric in ["TasksWaiting", "TasksActive"] : [var.namespace, metric]] },
        { title = "Longest wait, in seconds", stat = "Maximum", metrics = [for metric in ["OldestWaitingTaskSeconds", "OldestQueuedJobSeconds"] : [var.namespace, metric]] },
        { title = "Notices", stat = "Maximum", metrics = [for metric in ["NoticesPending", "CompletionsWaiting"] : [var.namespace, metric]] },
        { title = "Seconds since the last heartbeat", stat = "Maximum", metrics = [for metric in ["SchedulerHeartbeatSeconds", "DagProcessorHeartbeatSeconds", "TriggererHeartbeatSeconds"] : [var.namespace, metric]] },
      ]
    }] : row if contains(var.roles, "gateway")],
    [{
      heading = "Instances"
      charts = [
        { title = "Instances in service", stat = "Minimum", metrics = local.by_group["GroupInServiceInstances"] },
        { title = "Processor, percent", stat = "Average", metrics = local.by_group["CPUUtilization"] },
      ]
    }],
    [for row in [{
      heading = "Agents"
      charts = [
        { title = "Agents and the tasks that need them", stat = "Maximum", metrics = [
          ["AWS/AutoScaling", "GroupInServiceInstances", "AutoScalingGroupName", lookup(var.group_names, "agent", ""), { label = "agents" }],
          [var.namespace, "TasksActive"],
        ] },
        { title = "Agents that come and go", stat = "Maximum", metrics = [for metric in ["GroupPendingInstances", "GroupTerminatingInstances"] :
          ["AWS/AutoScaling", metric, "AutoScalingGroupName", lookup(var.group_names, "agent", "")]
        ] },
      ]
    }] : row if contains(var.roles, "agent")],
    [
      {
        heading = "Database"
        charts = [for title, metrics in {
          "Connections"       = ["DatabaseConnections"]
          "Processor, in %"   = ["CPUUtilization"]
          "Bytes free"        = ["FreeStorageSpace", "FreeableMemory"]
          "Seconds of a call" = ["ReadLatency", "WriteLatency"]
          } : { title = title, stat = "Average", metrics = [for metric in metrics :
            ["AWS/RDS", metric, "DBInstanceIdentifier", var.database_identifier]
        ] }]
      },
      {
        heading = "Redis"
        charts = [for title, metric in {
          "Memory, in %"    = "DatabaseMemoryUsagePercentage"
          "Processor, in %" = "EngineCPUUtilization"
          "Clients"         = "CurrConnections"
          "Thrown away"     = "Evictions"
          } : { title = title, stat = "Maximum", metrics = [for id in var.redis_cluster_ids :
            ["AWS/ElastiCache", metric, "CacheClusterId", id]
        ] }]
      },
      {
        heading = "Credits: what is left, and what is paid for beyond it"
        charts = [
          { title = "CPU credits left", stat = "Minimum", metrics = local.by_group["CPUCreditBalance"] },
          { title = "CPU credits that are charged", stat = "Sum", metrics = local.by_group["CPUSurplusCreditsCharged"] },
          { title = "The database's CPU credits", stat = "Minimum", metrics = [for metric in ["CPUCreditBalance", "CPUSurplusCreditsCharged"] :
            ["AWS/RDS", metric, "DBInstanceIdentifier", var.database_identifier]
          ] },
        ]
      },
    ],
  )

  widgets = flatten([for index, row in local.rows : concat(
    [{ type = "text", x = 0, y = 4 + 7 * index, width = 24, height = 1, properties = { markdown = "## ${row.heading}" } }],
    [for position, chart in row.charts : {
      type = "metric", x = position * 24 / length(row.charts), y = 5 + 7 * index, width = 24 / length(row.charts), height = 6
      properties = {
        title   = chart.title
        region  = var.region
        view    = "timeSeries"
        stat    = chart.stat
        period  = 60
        metrics = chart.metrics
      }
    }],
  )])
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    widgets = concat([{
      type       = "alarm", x = 0, y = 0, width = 24, height = 4
      properties = { title = "Alarms", alarms = [for alarm in local.alarms : alarm.arn] }
    }], local.widgets)
  })
}
