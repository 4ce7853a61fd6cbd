# One role: machines of one kind that run the same processes, as many as are needed.

locals {
  # Known before anything exists: policies and the instances themselves name the group. Alarms do too (../../main.tf).
  group_name     = "${var.name}-${var.role}"
  log_group_name = "/${var.name}/${var.role}"

  # No policy scales a role whose size does not follow the load.
  scales = var.request_target != null || var.queue_target != null

  hooks = {
    # An instance comes into service when its processes work, which it says itself; one that never does is given up.
    launching = { transition = "autoscaling:EC2_INSTANCE_LAUNCHING", result = "ABANDON", heartbeat = 900 }
    # One that is taken away reports while it finishes its work. If it falls silent, it goes. AWS waits for a hundred
    # times this at most, so that a long drain needs more of it.
    terminating = {
      transition = "autoscaling:EC2_INSTANCE_TERMINATING"
      result     = "CONTINUE"
      heartbeat  = max(300, ceil(var.drain_seconds / 90))
    }
  }
}

data "aws_default_tags" "this" {}

resource "aws_autoscaling_group" "this" {
  # An instance that starts without its rights would fail; one that stops needs them to say that it has finished.
  depends_on = [
    aws_iam_role_policy.this,
    aws_iam_role_policy_attachment.session_manager,
    aws_cloudwatch_log_group.this,
  ]

  name                = local.group_name
  vpc_zone_identifier = var.subnet_ids
  target_group_arns   = var.target_group_arns

  min_size = var.minimum
  max_size = var.maximum
  # A scaled group's size is the policy's own affair; another group has its minimum.
  desired_capacity = local.scales ? null : var.minimum

  # The launching hook has seen the processes work, so that a short grace is enough. Where no load balancer looks, the
  # instance reports itself when they stop working.
  health_check_type         = length(var.target_group_arns) > 0 ? "ELB" : "EC2"
  health_check_grace_period = 120
  default_instance_warmup   = 120

  # The image may not be in the registry yet; make apply waits for the instances, and shows how far they are.
  wait_for_capacity_timeout = "0"

  termination_policies = ["OldestLaunchTemplate", "OldestInstance"]
  # Nothing gathers on a machine, and that replacing one works is seen each month and not first in a failure.
  max_instance_lifetime = 30 * 24 * 3600

  enabled_metrics = [
    "GroupMinSize",
    "GroupMaxSize",
    "GroupDesiredCapacity",
    "GroupInServiceInstances",
    "GroupPendingInstances",
    "GroupTerminatingInstances",
  ]

  launch_template {
    id = aws_launch_template.this.id
    # A number: a rollout that fails goes back to the one before, which $Latest would not name.
    version = aws_launch_template.this.latest_version
  }

  # Whatever the reason, the new machine works before the old one goes. A group of its greatest size has one more
  # meanwhile.
  instance_maintenance_policy {
    min_healthy_percentage = 100
    max_healthy_percentage = 200
  }

  # Every new version of the launch template (an image, a setting) replaces the instances.
  instance_refresh {
    strategy = "Rolling"

    preferences {
      min_healthy_percentage = 100
      max_healthy_percentage = 200
      auto_rollback          = true
      skip_matching          = true
      instance_warmup        = 120
    }
  }

  # Here for the very first instances; below, so that a change of them reaches a group that exists.
  dynamic "initial_lifecycle_hook" {
    for_each = local.hooks

    content {
      name                 = initial_lifecycle_hook.key
      lifecycle_transition = initial_lifecycle_hook.value.transition
      default_result       = initial_lifecycle_hook.value.result
      heartbeat_timeout    = initial_lifecycle_hook.value.heartbeat
    }
  }

  # The provider's default tags do not reach groups, nor what groups launch: the launch template tags that.
  dynamic "tag" {
    for_each = merge(data.aws_default_tags.this.tags, { Name = local.group_name })

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = false
    }
  }

  timeouts {
    delete = "20m"
  }
}

resource "aws_autoscaling_lifecycle_hook" "this" {
  for_each = local.hooks

  autoscaling_group_name = aws_autoscaling_group.this.name
  name                   = each.key
  lifecycle_transition   = each.value.transition
  default_result         = each.value.result
  heartbeat_timeout      = each.value.heartbeat
}

# Only what went wrong; that a group grows and shrinks is its work.
resource "aws_autoscaling_notification" "this" {
  group_names   = [aws_autoscaling_group.this.name]
  topic_arn     = var.notification_topic_arn
  notifications = ["autoscaling:EC2_INSTANCE_LAUNCH_ERROR", "autoscaling:EC2_INSTANCE_TERMINATE_ERROR"]
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:How long logs are kept is the environment's choice (log_days)
  name              = local.log_group_name
  retention_in_days = var.log_days
  kms_key_id        = var.kms_key_arn
}
