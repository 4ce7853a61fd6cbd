# All policies add instances within minutes and take them away after a quarter of an hour of less work.

resource "aws_autoscaling_policy" "requests" {
  count = var.request_target == null ? 0 : 1

  name                   = "${local.group_name}-requests"
  autoscaling_group_name = aws_autoscaling_group.this.name
  policy_type            = "TargetTrackingScaling"

  target_tracking_configuration {
    target_value     = var.request_target.value
    disable_scale_in = false

    predefined_metric_specification {
      predefined_metric_type = "ALBRequestCountPerTarget"
      resource_label         = var.request_target.label
    }
  }
}

# Tasks talk to the web servers too, through the internal load balancer, whose requests the policy above does not see.
# Where several policies disagree, the larger group wins.
resource "aws_autoscaling_policy" "cpu" {
  count = var.cpu_target == null ? 0 : 1

  name                   = "${local.group_name}-cpu"
  autoscaling_group_name = aws_autoscaling_group.this.name
  policy_type            = "TargetTrackingScaling"

  target_tracking_configuration {
    target_value     = var.cpu_target
    disable_scale_in = false

    predefined_metric_specification {
      predefined_metric_type = "ASGAverageCPUUtilization"
    }
  }
}

resource "aws_autoscaling_policy" "tasks" {
  count = var.queue_target == null ? 0 : 1

  name                   = "${local.group_name}-tasks"
  autoscaling_group_name = aws_autoscaling_group.this.name
  policy_type            = "TargetTrackingScaling"

  target_tracking_configuration {
    target_value     = var.queue_target.value
    disable_scale_in = false

    customized_metric_specification {
      # Tasks that wait or run, in all. Each gateway says the same number; a sum would count them twice.
      metrics {
        id          = "tasks"
        return_data = false

        metric_stat {
          stat   = "Maximum"
          period = 60

          metric {
            namespace   = var.queue_target.namespace
            metric_name = var.queue_target.metric
          }
        }
      }

      metrics {
        id          = "instances"
        return_data = false

        metric_stat {
          stat   = "Average"
          period = 60

          metric {
            namespace   = "AWS/AutoScaling"
            metric_name = "GroupInServiceInstances"

            dimensions {
              name  = "AutoScalingGroupName"
              value = aws_autoscaling_group.this.name
            }
          }
        }
      }

      # Without an instance a division would give nothing, and nothing would start one. Without a figure of the tasks
      # there is no result either, and the group stays as it is: silence of the gateways does not mean no work.
      metrics {
        id          = "load"
        label       = "Tasks for each instance"
        expression  = "IF(instances > 0, tasks / instances, tasks)"
        return_data = true
      }
    }
  }
}
