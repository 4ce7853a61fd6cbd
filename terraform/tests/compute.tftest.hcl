# The machines: how they are shut, what they may do, when they come and go. Needs no account: the provider is a mock.

mock_provider "aws" {
  mock_data "aws_ami" {
    defaults = { id = "ami-00000000000000000", root_device_name = "/dev/xvda" }
  }

  mock_data "aws_availability_zones" {
    defaults = { names = ["zone-1", "zone-2", "zone-3"] }
  }

  mock_data "aws_default_tags" {
    defaults = { tags = { Project = "coinrequest", Environment = "production" } }
  }

  mock_resource "aws_iam_instance_profile" {
    defaults = { arn = "arn:aws:iam::123456789012:instance-profile/mock" }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-1:123456789012:log-group:/coinrequest-production/agent" }
  }

  mock_resource "aws_launch_template" {
    defaults = { id = "lt-00000000000000000", latest_version = 7 }
  }
}

# An agent in production, for the runs that look into the module.
variables {
  name          = "coinrequest-production"
  role          = "agent"
  processes     = ["agent"]
  migrates      = false
  settings      = { AIRFLOW__CELERY__WORKER_CONCURRENCY = "2" }
  drain_seconds = 3600
  secret_arns = {
    database-reader = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:coinrequest-production/database-reader-aaaaaa"
    redis           = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:coinrequest-production/redis-bbbbbb"
  }
  account_id             = "123456789012"
  region                 = "eu-west-1"
  image                  = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/coinrequest:0.1.0"
  machine_image          = "al2023-ami-mock-x86_64"
  cpu_credits            = "unlimited"
  swap                   = "2G"
  minimum                = 2
  maximum                = 20
  subnet_ids             = ["subnet-00000000000000001", "subnet-00000000000000002", "subnet-00000000000000003"]
  security_group_id      = "sg-00000000000000001"
  target_group_arns      = []
  queue_target           = { namespace = "coinrequest/production", metric = "TasksActive", value = 2 }
  repository_name        = "coinrequest"
  task_log_bucket_arn    = "arn:aws:s3:::coinrequest-production-task-logs"
  task_log_access        = "write"
  kms_key_arn            = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  log_days               = 90
  database_host          = "database.mock"
  redis_host             = "redis.mock"
  notification_topic_arn = "arn:aws:sns:eu-west-1:123456789012:coinrequest-production-alarms"
}

run "an_agent" {
  command = apply

  module {
    source = "./modules/role"
  }

  # -- the machine -------------------------------------------------------------------------------------------

  assert {
    condition     = aws_launch_template.this.instance_type == "t2.micro"
    error_message = "A t2.micro, unless somebody chose otherwise."
  }

  assert {
    condition     = aws_launch_template.this.metadata_options[0].http_tokens == "required" && aws_launch_template.this.metadata_options[0].http_put_response_hop_limit == 1
    error_message = "The instance's credentials need a token, which does not pass a router."
  }

  assert {
    condition     = alltrue([for disk in aws_launch_template.this.block_device_mappings : disk.ebs[0].encrypted == "true" && disk.ebs[0].delete_on_termination == "true" && disk.ebs[0].volume_type == "gp3" && disk.ebs[0].volume_size == 16]) && one(aws_launch_template.this.block_device_mappings).device_name == "/dev/xvda"
    error_message = "The one disk is encrypted, and goes with its instance."
  }

  assert {
    condition     = aws_launch_template.this.key_name == null
    error_message = "Nobody signs in with SSH."
  }

  assert {
    condition     = aws_launch_template.this.network_interfaces[0].associate_public_ip_address == "false" && aws_launch_template.this.network_interfaces[0].security_groups == toset([var.security_group_id])
    error_message = "No instance has a public address, nor another security group than its role's."
  }

  assert {
    condition     = aws_launch_template.this.credit_specification[0].cpu_credits == "unlimited"
    error_message = "The environment decides what happens when the credits are used up."
  }

  assert {
    condition     = aws_launch_template.this.user_data == local.user_data && length(local.user_data) <= 16384 * 4 / 3
    error_message = "A launch template takes 16 KiB of user data, before it is written in base64."
  }

  assert {
    condition     = toset([for specification in aws_launch_template.this.tag_specifications : specification.resource_type]) == toset(["instance", "volume", "network-interface"]) && alltrue([for specification in aws_launch_template.this.tag_specifications : specification.tags == tomap({ Project = "coinrequest", Environment = "production", Name = "coinrequest-production-agent" })])
    error_message = "What a group launches carries the installation's tags too: costs are counted by them."
  }

  assert {
    condition     = toset([for tag in aws_autoscaling_group.this.tag : "${tag.key}=${tag.value}"]) == toset(["Project=coinrequest", "Environment=production", "Name=coinrequest-production-agent"])
    error_message = "The group carries the installation's tags."
  }

  assert {
    condition     = data.aws_ami.this.owners == tolist(["amazon"]) && data.aws_ami.this.include_deprecated && anytrue([for filter in data.aws_ami.this.filter : filter.name == "name" && filter.values == toset([var.machine_image])])
    error_message = "The machine image is Amazon's, and the one that was named."
  }

  # -- the group ---------------------------------------------------------------------------------------------

  assert {
    condition     = aws_autoscaling_group.this.name == "coinrequest-production-agent" && output.group_name == "coinrequest-production-agent" && output.log_group_name == "/coinrequest-production/agent"
    error_message = "Alarms and the dashboard rely on these names."
  }

  assert {
    condition     = aws_autoscaling_group.this.vpc_zone_identifier == toset(var.subnet_ids)
    error_message = "The group spreads over every zone."
  }

  assert {
    condition     = aws_autoscaling_group.this.min_size == 2 && aws_autoscaling_group.this.max_size == 20 && local.scales
    error_message = "The size of a scaled group stays within its limits, and is the policy's affair."
  }

  assert {
    condition     = aws_autoscaling_group.this.health_check_type == "EC2"
    error_message = "No load balancer looks at an agent; it reports itself."
  }

  assert {
    condition     = contains(aws_autoscaling_group.this.enabled_metrics, "GroupInServiceInstances")
    error_message = "Scaling and an alarm read this metric."
  }

  assert {
    condition     = aws_autoscaling_group.this.max_instance_lifetime == 2592000
    error_message = "No machine is older than 30 days."
  }

  # -- rollout -----------------------------------------------------------------------------------------------

  assert {
    condition     = aws_autoscaling_group.this.instance_refresh[0].strategy == "Rolling" && aws_autoscaling_group.this.instance_refresh[0].preferences[0].auto_rollback && aws_autoscaling_group.this.instance_refresh[0].preferences[0].skip_matching
    error_message = "A rollout that fails is taken back; machines that are up to date stay."
  }

  assert {
    condition     = aws_autoscaling_group.this.instance_refresh[0].preferences[0].min_healthy_percentage == 100 && aws_autoscaling_group.this.instance_refresh[0].preferences[0].max_healthy_percentage == 200 && aws_autoscaling_group.this.instance_maintenance_policy[0].min_healthy_percentage == 100 && aws_autoscaling_group.this.instance_maintenance_policy[0].max_healthy_percentage == 200
    error_message = "The new machine works before the old one goes."
  }

  assert {
    condition     = aws_autoscaling_group.this.launch_template[0].version == "7"
    error_message = "A rollout can be taken back only from a version with a number."
  }

  assert {
    condition     = { for hook in aws_autoscaling_group.this.initial_lifecycle_hook : hook.lifecycle_transition => hook.default_result } == { "autoscaling:EC2_INSTANCE_LAUNCHING" = "ABANDON", "autoscaling:EC2_INSTANCE_TERMINATING" = "CONTINUE" }
    error_message = "An instance that never says that it works is given up; one that falls silent while it drains goes."
  }

  assert {
    condition = alltrue([for hook in aws_autoscaling_group.this.initial_lifecycle_hook :
      aws_autoscaling_lifecycle_hook.this[hook.name].lifecycle_transition == hook.lifecycle_transition &&
      aws_autoscaling_lifecycle_hook.this[hook.name].default_result == hook.default_result &&
      aws_autoscaling_lifecycle_hook.this[hook.name].heartbeat_timeout == hook.heartbeat_timeout
    ]) && keys(aws_autoscaling_lifecycle_hook.this) == ["launching", "terminating"]
    error_message = "The hooks of the first instances are those of all later ones."
  }

  assert {
    condition     = aws_autoscaling_lifecycle_hook.this["launching"].heartbeat_timeout == 900 && aws_autoscaling_lifecycle_hook.this["terminating"].heartbeat_timeout * 100 > var.drain_seconds && aws_autoscaling_lifecycle_hook.this["terminating"].heartbeat_timeout >= 300
    error_message = "An instance has 15 minutes to start. AWS waits for a hundred heartbeats, which cover the drain."
  }

  assert {
    condition     = aws_autoscaling_notification.this.topic_arn == var.notification_topic_arn && aws_autoscaling_notification.this.notifications == toset(["autoscaling:EC2_INSTANCE_LAUNCH_ERROR", "autoscaling:EC2_INSTANCE_TERMINATE_ERROR"])
    error_message = "Somebody hears of an instance that cannot be started or stopped."
  }

  # -- scaling -----------------------------------------------------------------------------------------------

  assert {
    condition     = length(aws_autoscaling_policy.requests) == 0 && aws_autoscaling_policy.tasks[0].policy_type == "TargetTrackingScaling" && aws_autoscaling_policy.tasks[0].target_tracking_configuration[0].target_value == 2 && !aws_autoscaling_policy.tasks[0].target_tracking_configuration[0].disable_scale_in
    error_message = "Agents come and go with the tasks: as many as each takes at a time."
  }

  assert {
    condition = anytrue([for metric in aws_autoscaling_policy.tasks[0].target_tracking_configuration[0].customized_metric_specification[0].metrics :
      metric.id == "tasks" && try(metric.metric_stat[0].stat == "Maximum" && metric.metric_stat[0].metric[0].namespace == "coinrequest/production" && metric.metric_stat[0].metric[0].metric_name == "TasksActive" && length(metric.metric_stat[0].metric[0].dimensions) == 0, false)
    ])
    error_message = "Every gateway says the same number of tasks: their greatest is it, and their sum would not be."
  }

  assert {
    condition = anytrue([for metric in aws_autoscaling_policy.tasks[0].target_tracking_configuration[0].customized_metric_specification[0].metrics :
      metric.id == "instances" && try(metric.metric_stat[0].metric[0].metric_name == "GroupInServiceInstances" && one(metric.metric_stat[0].metric[0].dimensions).value == "coinrequest-production-agent", false)
    ])
    error_message = "The tasks are shared among the agents of this group that are in service."
  }

  assert {
    condition     = [for metric in aws_autoscaling_policy.tasks[0].target_tracking_configuration[0].customized_metric_specification[0].metrics : metric.expression if metric.return_data] == ["IF(instances > 0, tasks / instances, tasks)"]
    error_message = "Only the load is returned, and there is one without an instance too."
  }

  # -- rights ------------------------------------------------------------------------------------------------

  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement == [{ Effect = "Allow", Principal = { Service = "ec2.amazonaws.com" }, Action = "sts:AssumeRole" }]
    error_message = "Only machines of EC2 take the role."
  }

  assert {
    condition     = aws_iam_role_policy_attachment.session_manager.policy_arn == "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
    error_message = "Session Manager reaches the instance."
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Effect == "Allow" && alltrue([for action in statement.Action : !strcontains(action, "*")])])
    error_message = "Every action is named."
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Action if contains(statement.Resource, "*")] == [["ecr:GetAuthorizationToken"]]
    error_message = "Every right is for certain resources, but for the one that knows none."
  }

  assert {
    # As text: the values have types that cannot be compared.
    condition = jsonencode({ for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Sid => statement }) == jsonencode({
      ReadOwnSecrets = {
        Sid      = "ReadOwnSecrets", Effect = "Allow", Action = ["secretsmanager:GetSecretValue"]
        Resource = values(var.secret_arns)
      }
      DecryptThroughServices = {
        Sid       = "DecryptThroughServices", Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = [var.kms_key_arn]
        Condition = { StringEquals = { "kms:ViaService" = ["secretsmanager.eu-west-1.amazonaws.com", "s3.eu-west-1.amazonaws.com"] } }
      }
      SignInToRegistry = { Sid = "SignInToRegistry", Effect = "Allow", Action = ["ecr:GetAuthorizationToken"], Resource = ["*"] }
      PullImage = {
        Sid      = "PullImage", Effect = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = ["arn:aws:ecr:eu-west-1:123456789012:repository/coinrequest"]
      }
      WriteOwnLogs = {
        Sid      = "WriteOwnLogs", Effect = "Allow", Action = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["arn:aws:logs:eu-west-1:123456789012:log-group:/coinrequest-production/agent:*"]
      }
      ReportToOwnGroup = {
        Sid      = "ReportToOwnGroup", Effect = "Allow"
        Action   = ["autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat", "autoscaling:SetInstanceHealth"]
        Resource = ["arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:*:autoScalingGroupName/coinrequest-production-agent"]
      }
      UseTaskLogs = {
        Sid      = "UseTaskLogs", Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject"]
        Resource = ["arn:aws:s3:::coinrequest-production-task-logs/tasks/*"]
      }
      ListTaskLogs = {
        Sid       = "ListTaskLogs", Effect = "Allow", Action = ["s3:ListBucket"], Resource = ["arn:aws:s3:::coinrequest-production-task-logs"]
        Condition = { StringLike = { "s3:prefix" = ["tasks/*"] } }
      }
    })
    error_message = "This is all that an agent may do. A new right is written down here, too."
  }

  # -- logs --------------------------------------------------------------------------------------------------

  assert {
    condition     = aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn && aws_cloudwatch_log_group.this.retention_in_days == 90
    error_message = "Logs are encrypted, and end."
  }
}

run "the_drain_may_take_two_days" {
  command = plan

  module {
    source = "./modules/role"
  }

  variables {
    drain_seconds = 172800
  }

  assert {
    condition     = aws_autoscaling_lifecycle_hook.this["terminating"].heartbeat_timeout * 100 > 172800 && aws_autoscaling_lifecycle_hook.this["terminating"].heartbeat_timeout <= 7200
    error_message = "AWS waits for a hundred heartbeats at most, each of at most two hours."
  }
}

run "a_web_server" {
  command = apply

  module {
    source = "./modules/role"
  }

  variables {
    role              = "web"
    processes         = ["api-server"]
    drain_seconds     = 120
    target_group_arns = ["arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/public/0", "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/internal/0"]
    request_target    = { label = "app/public/0/targetgroup/public/0", value = 600 }
    cpu_target        = 60
    queue_target      = null
    task_log_access   = "read"
  }

  assert {
    condition     = aws_autoscaling_group.this.health_check_type == "ELB" && aws_autoscaling_group.this.target_group_arns == toset(var.target_group_arns)
    error_message = "The load balancers send requests to every web server, and one that does not answer is replaced."
  }

  assert {
    condition     = length(aws_autoscaling_policy.tasks) == 0 && aws_autoscaling_policy.requests[0].target_tracking_configuration[0].target_value == 600 && aws_autoscaling_policy.requests[0].target_tracking_configuration[0].predefined_metric_specification[0].predefined_metric_type == "ALBRequestCountPerTarget" && aws_autoscaling_policy.requests[0].target_tracking_configuration[0].predefined_metric_specification[0].resource_label == "app/public/0/targetgroup/public/0"
    error_message = "Web servers come with the requests."
  }

  assert {
    condition     = !aws_autoscaling_policy.requests[0].target_tracking_configuration[0].disable_scale_in && one(aws_autoscaling_policy.cpu).target_tracking_configuration[0].target_value == 60
    error_message = "Web servers go when the requests do, and tasks that talk to them count by the CPU they take."
  }

  assert {
    condition     = flatten([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Action if startswith(statement.Action[0], "s3:")]) == ["s3:GetObject", "s3:ListBucket"] && !strcontains(aws_iam_role_policy.this.policy, "kms:GenerateDataKey")
    error_message = "A web server reads the tasks' logs and writes none."
  }
}

run "a_scheduler_that_migrates" {
  command = apply

  module {
    source = "./modules/role"
  }

  variables {
    role              = "scheduler"
    processes         = ["scheduler", "dag-processor"]
    migrates          = true
    minimum           = 2
    maximum           = 2
    queue_target      = null
    master_secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-cccccc"
    instance_type     = "m7i.large"
  }

  assert {
    condition     = length(aws_autoscaling_policy.tasks) + length(aws_autoscaling_policy.requests) == 0 && aws_autoscaling_group.this.desired_capacity == 2
    error_message = "Schedulers are as many as were asked for."
  }

  assert {
    condition     = anytrue([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : toset(statement.Resource) == setunion(values(var.secret_arns), [var.master_secret_arn])])
    error_message = "Who creates the database's roles reads its master's secret."
  }

  assert {
    condition     = aws_launch_template.this.instance_type == "m7i.large" && length(aws_launch_template.this.credit_specification) == 0
    error_message = "Only the t families have credits."
  }
}

run "a_gateway" {
  command = apply

  module {
    source = "./modules/role"
  }

  variables {
    role            = "gateway"
    processes       = ["gateway"]
    queue_target    = null
    task_log_access = "none"
  }

  assert {
    condition     = !strcontains(aws_iam_role_policy.this.policy, "s3") && !strcontains(aws_iam_role_policy.this.policy, "kms:GenerateDataKey")
    error_message = "A gateway has nothing to do with the tasks' logs."
  }
}
