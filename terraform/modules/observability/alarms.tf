# The alarms as resources. What they watch stands in alarms_traffic.tf, alarms_jobs.tf, alarms_data.tf and
# alarms_machines.tf; what is not said there is as here.

locals {
  watched = merge(local.traffic_alarms, local.job_alarms, local.database_alarms, local.redis_alarms, local.machine_alarms)
  alarms  = merge(aws_cloudwatch_metric_alarm.this, aws_cloudwatch_metric_alarm.share)
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.watched

  alarm_name        = "${var.name}-${each.key}"
  alarm_description = "${each.value.description} See docs/how-to/aws-alarms.md."

  namespace   = each.value.namespace
  metric_name = each.value.metric
  dimensions  = each.value.dimensions

  statistic           = startswith(each.value.statistic, "p") ? null : each.value.statistic
  extended_statistic  = startswith(each.value.statistic, "p") ? each.value.statistic : null
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  period              = lookup(each.value, "period", 60)
  evaluation_periods  = each.value.periods

  # A percentile of a handful of requests says nothing.
  evaluate_low_sample_count_percentiles = startswith(each.value.statistic, "p") ? "ignore" : null

  # notBreaching: no figure, no trouble. ignore: the alarm stays as it was. breaching: silence is the trouble.
  treat_missing_data = each.value.missing

  alarm_actions = [aws_sns_topic.this.arn]
  ok_actions    = [aws_sns_topic.this.arn]
}

# Errors as a share of requests, in percent. Less than 20 requests in five minutes prove nothing.
resource "aws_cloudwatch_metric_alarm" "share" {
  for_each = local.error_shares

  alarm_name        = "${var.name}-${each.key}"
  alarm_description = "${each.value.description} See docs/how-to/aws-alarms.md."

  comparison_operator = "GreaterThanThreshold"
  threshold           = 5
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"

  alarm_actions = [aws_sns_topic.this.arn]
  ok_actions    = [aws_sns_topic.this.arn]

  metric_query {
    id          = "share"
    label       = "Percent of requests"
    expression  = each.value.expression
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { requests = "RequestCount", errors = each.value.metric }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = metric_query.value
        dimensions  = local.load_balancer
        stat        = "Sum"
        period      = 300
      }
    }
  }
}
