# What the applying role may change on top. It rolls out and reshapes; an operator makes an environment and takes it
# away, because the first needs the values of its secrets (see the file beside this one) and the second its data.

locals {
  write_statements = [
    {
      # The lock stands beside the state. The state of bootstrap, with these roles in it, is not among them.
      Sid      = "WriteStates"
      Effect   = "Allow"
      Action   = ["s3:PutObject"]
      Resource = flatten([for environment in local.environments : ["${aws_s3_bucket.state.arn}/${environment}.tfstate", "${aws_s3_bucket.state.arn}/${environment}.tfstate.tflock"]])
    },
    {
      Sid      = "ReleaseLocks"
      Effect   = "Allow"
      Action   = ["s3:DeleteObject"]
      Resource = [for environment in local.environments : "${aws_s3_bucket.state.arn}/${environment}.tfstate.tflock"]
    },
    {
      Sid       = "EncryptStates"
      Effect    = "Allow"
      Action    = ["kms:GenerateDataKey"]
      Resource  = [aws_kms_key.state.arn]
      Condition = { StringEquals = { "kms:ViaService" = "s3.${var.region}.amazonaws.com" } }
    },
    {
      # A star: the registry's token belongs to the account; this action knows no resource.
      Sid      = "SignInToRegistry"
      Effect   = "Allow"
      Action   = ["ecr:GetAuthorizationToken"]
      Resource = ["*"]
    },
    {
      Sid      = "PushImages"
      Effect   = "Allow"
      Action   = ["ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"]
      Resource = [module.registry.arn]
    },
    {
      # Stars in actions: whatever Terraform does with a network, a group, an alarm or a load balancer. A star as the
      # resource: their numbers are given by AWS when they are made. Held to the region.
      Sid    = "ChangeNetworkAndCompute"
      Effect = "Allow"
      Action = [
        "acm:AddTagsToCertificate", "acm:DeleteCertificate", "acm:RequestCertificate",
        "autoscaling:*",
        "cloudwatch:Delete*", "cloudwatch:Put*", "cloudwatch:TagResource", "cloudwatch:UntagResource",
        "ec2:Allocate*", "ec2:Associate*", "ec2:Attach*", "ec2:Authorize*", "ec2:Create*", "ec2:Delete*", "ec2:Detach*", "ec2:Disassociate*",
        "ec2:Modify*", "ec2:Release*", "ec2:Replace*", "ec2:Revoke*", "ec2:RunInstances",
        "elasticloadbalancing:*",
        "wafv2:AssociateWebACL", "wafv2:CreateWebACL", "wafv2:DeleteLoggingConfiguration", "wafv2:DeleteWebACL", "wafv2:DisassociateWebACL",
        "wafv2:PutLoggingConfiguration", "wafv2:TagResource", "wafv2:UntagResource", "wafv2:UpdateWebACL",
      ]
      Resource  = ["*"]
      Condition = { StringEquals = { "aws:RequestedRegion" = var.region } }
    },
    {
      # Stars in actions: whatever Terraform does with a database or a cache. Stars in names: the kind of a thing, and
      # what an environment puts before and after the project's name. Each database names a default group of options.
      Sid    = "ChangeDataAndLogs"
      Effect = "Allow"
      Action = [
        "elasticache:*", "rds:*",
        "logs:AssociateKmsKey", "logs:CreateLogGroup", "logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource",
        "secretsmanager:TagResource", "secretsmanager:UntagResource", "secretsmanager:UpdateSecret",
        "sns:SetTopicAttributes", "sns:Subscribe", "sns:TagResource", "sns:Unsubscribe", "sns:UntagResource",
      ]
      Resource = concat(
        [for service in ["elasticache", "logs", "rds", "secretsmanager", "sns"] : "arn:aws:${service}:${var.region}:${var.account_id}:*coinrequest-*"],
        ["arn:aws:rds:${var.region}:${var.account_id}:og:default:*"],
      )
      Condition = { StringEquals = { "aws:RequestedRegion" = var.region } }
    },
    {
      # A star: the delivery of the firewall's log knows no resource.
      Sid       = "DeliverFirewallLog"
      Effect    = "Allow"
      Action    = ["logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:PutResourcePolicy"]
      Resource  = ["*"]
      Condition = { StringEquals = { "aws:RequestedRegion" = var.region } }
    },
    {
      # A star: a key has a number that AWS gives. Its own tag says whose it is.
      Sid       = "UseOwnKeys"
      Effect    = "Allow"
      Action    = ["kms:CreateGrant", "kms:EnableKeyRotation", "kms:GenerateDataKey", "kms:PutKeyPolicy", "kms:TagResource", "kms:UpdateKeyDescription"]
      Resource  = ["arn:aws:kms:${var.region}:${var.account_id}:key/*"]
      Condition = { StringEquals = { "aws:ResourceTag/Project" = "coinrequest" } }
    },
    {
      # A star in the actions: the settings of a bucket are many. Stars in names: as in ReadBucketConfiguration.
      Sid      = "ChangeBuckets"
      Effect   = "Allow"
      Action   = ["s3:PutBucket*", "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration"]
      Resource = local.own_buckets
    },
    {
      Sid      = "ChangeNames"
      Effect   = "Allow"
      Action   = ["route53:ChangeResourceRecordSets"]
      Resource = [local.zone.arn]
    },
    {
      Sid      = "ChangeBudgets"
      Effect   = "Allow"
      Action   = ["budgets:ModifyBudget", "budgets:TagResource", "budgets:UntagResource"]
      Resource = [for environment in local.environments : "arn:aws:budgets::${var.account_id}:budget/coinrequest-${environment}"]
    },
  ]

  # Whoever writes the policy of a role can give it anything: that is why this role needs an environment's approval.
  write_identity_statements = [
    {
      # Stars: the names of an environment's roles end in what they are for. The roles of workflows are not among them.
      Sid    = "ChangeOwnRoles"
      Effect = "Allow"
      Action = [
        "iam:AddRoleToInstanceProfile", "iam:CreateInstanceProfile", "iam:CreateRole", "iam:DeleteInstanceProfile", "iam:DeleteRole", "iam:DeleteRolePolicy",
        "iam:DetachRolePolicy", "iam:PutRolePolicy", "iam:RemoveRoleFromInstanceProfile", "iam:TagInstanceProfile", "iam:TagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole",
      ]
      Resource = flatten([for environment in local.environments : [
        "arn:aws:iam::${var.account_id}:role/coinrequest-${environment}-*",
        "arn:aws:iam::${var.account_id}:instance-profile/coinrequest-${environment}-*",
      ]])
    },
    {
      # Stars: as in ChangeOwnRoles. Amazon's own policies, and only those that the modules attach.
      Sid      = "AttachKnownPolicies"
      Effect   = "Allow"
      Action   = ["iam:AttachRolePolicy"]
      Resource = [for environment in local.environments : "arn:aws:iam::${var.account_id}:role/coinrequest-${environment}-*"]
      Condition = { ArnEquals = { "iam:PolicyARN" = [
        "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore",
        "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole",
      ] } }
    },
    {
      # Stars: as in ChangeOwnRoles.
      Sid       = "GiveRolesToServices"
      Effect    = "Allow"
      Action    = ["iam:PassRole"]
      Resource  = [for environment in local.environments : "arn:aws:iam::${var.account_id}:role/coinrequest-${environment}-*"]
      Condition = { StringEquals = { "iam:PassedToService" = ["ec2.amazonaws.com", "monitoring.rds.amazonaws.com", "vpc-flow-logs.amazonaws.com"] } }
    },
    {
      # A star: each service names its role by itself.
      Sid      = "LetServicesMakeTheirRoles"
      Effect   = "Allow"
      Action   = ["iam:CreateServiceLinkedRole"]
      Resource = ["arn:aws:iam::${var.account_id}:role/aws-service-role/*"]
      Condition = { StringEquals = { "iam:AWSServiceName" = [
        "autoscaling.amazonaws.com", "elasticache.amazonaws.com", "elasticloadbalancing.amazonaws.com", "rds.amazonaws.com", "wafv2.amazonaws.com",
      ] } }
    },
  ]

  keep_statements = [
    {
      # A star: whatever holds data, whichever it is.
      Sid    = "NeverDeleteData"
      Effect = "Deny"
      Action = [
        "elasticache:DeleteReplicationGroup", "elasticache:DeleteSnapshot", "kms:DisableKey", "kms:ScheduleKeyDeletion", "logs:DeleteLogGroup",
        "rds:DeleteDBInstance", "rds:DeleteDBInstanceAutomatedBackup", "rds:DeleteDBSnapshot", "s3:DeleteBucket", "secretsmanager:DeleteSecret",
      ]
      Resource = ["*"]
    },
  ]
}
