# What an instance of this role may do. Nothing here ends in a star but for a reason that stands beside it.

locals {
  secret_arns = concat(values(var.secret_arns), var.master_secret_arn == null ? [] : [var.master_secret_arn])
  uses_logs   = var.task_log_access != "none"

  # Services that decrypt on the instance's behalf; the key by itself opens nothing.
  decrypting_services = concat(["secretsmanager"], local.uses_logs ? ["s3"] : [])

  statements = concat(
    [
      {
        Sid      = "ReadOwnSecrets"
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue"]
        Resource = local.secret_arns
      },
      {
        Sid      = "DecryptThroughServices"
        Effect   = "Allow"
        Action   = concat(["kms:Decrypt"], var.task_log_access == "write" ? ["kms:GenerateDataKey"] : [])
        Resource = [var.kms_key_arn]
        Condition = { StringEquals = {
          "kms:ViaService" = [for service in local.decrypting_services : "${service}.${var.region}.amazonaws.com"]
        } }
      },
      {
        # The registry's token belongs to the account; this action knows no resource.
        Sid      = "SignInToRegistry"
        Effect   = "Allow"
        Action   = ["ecr:GetAuthorizationToken"]
        Resource = ["*"]
      },
      {
        Sid      = "PullImage"
        Effect   = "Allow"
        Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = ["arn:aws:ecr:${var.region}:${var.account_id}:repository/${var.repository_name}"]
      },
      {
        # The streams of this log group: each container makes its own.
        Sid      = "WriteOwnLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["${aws_cloudwatch_log_group.this.arn}:*"]
      },
      {
        # The star is the group's number, which is not known before the group exists. The name is whole.
        Sid    = "ReportToOwnGroup"
        Effect = "Allow"
        Action = [
          "autoscaling:CompleteLifecycleAction",
          "autoscaling:RecordLifecycleActionHeartbeat",
          "autoscaling:SetInstanceHealth",
        ]
        Resource = ["arn:aws:autoscaling:${var.region}:${var.account_id}:autoScalingGroup:*:autoScalingGroupName/${local.group_name}"]
      },
    ],
    [for access in [var.task_log_access] : {
      # The logs of all tasks: a web server shows each, an agent writes whatever task it gets.
      Sid      = "UseTaskLogs"
      Effect   = "Allow"
      Action   = concat(["s3:GetObject"], access == "write" ? ["s3:PutObject"] : [])
      Resource = ["${var.task_log_bucket_arn}/tasks/*"]
    } if local.uses_logs],
    [for access in [var.task_log_access] : {
      # Without it a log that is not there yet looks like one that is forbidden.
      Sid       = "ListTaskLogs"
      Effect    = "Allow"
      Action    = ["s3:ListBucket"]
      Resource  = [var.task_log_bucket_arn]
      Condition = { StringLike = { "s3:prefix" = ["tasks/*"] } }
    } if local.uses_logs],
  )
}

resource "aws_iam_role" "this" {
  name        = local.group_name
  description = "Instances of ${var.role} of ${var.name}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name   = local.group_name
  role   = aws_iam_role.this.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements })
}

# Session Manager in place of SSH. The policy is Amazon's own, and grows with its agent.
resource "aws_iam_role_policy_attachment" "session_manager" {
  role       = aws_iam_role.this.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

resource "aws_iam_instance_profile" "this" {
  name = local.group_name
  role = aws_iam_role.this.name
}
