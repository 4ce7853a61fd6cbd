# What both roles may read: the states, and how everything is configured. No value of a secret, no log line, no object of
# another bucket.
#
# Terraform's provider reads a secret's value whenever it refreshes one, also one that it only ever writes
# (terraform-provider-aws issue 42383; mended in version 6). Workflows therefore plan with -refresh=false, and with
# -lock=false, because a lock would be a write: TF_CLI_ARGS_plan="-refresh=false -lock=false".

locals {
  own_buckets = [for environment in local.environments : "arn:aws:s3:::coinrequest-${environment}-*"]

  read_statements = [
    {
      # Every object of this one bucket: the states of all environments.
      Sid      = "ReadStates"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:ListBucket"]
      Resource = [aws_s3_bucket.state.arn, "${aws_s3_bucket.state.arn}/*"]
    },
    {
      Sid       = "DecryptStates"
      Effect    = "Allow"
      Action    = ["kms:Decrypt"]
      Resource  = [aws_kms_key.state.arn]
      Condition = { StringEquals = { "kms:ViaService" = "s3.${var.region}.amazonaws.com" } }
    },
    {
      # Stars in actions: the calls that describe, of services where those return configuration and no data. A star as
      # the resource: most of them know no resource.
      Sid    = "ReadRegionalConfiguration"
      Effect = "Allow"
      Action = [
        "acm:DescribeCertificate", "acm:ListTagsForCertificate",
        "autoscaling:Describe*",
        "cloudwatch:Describe*", "cloudwatch:GetDashboard", "cloudwatch:ListTagsForResource",
        "ec2:Describe*",
        "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeImages", "ecr:DescribeRepositories", "ecr:GetLifecyclePolicy", "ecr:ListTagsForResource",
        "elasticache:Describe*", "elasticache:ListTagsForResource",
        "elasticloadbalancing:Describe*",
        "kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListAliases", "kms:ListResourceTags",
        "logs:DescribeLogGroups", "logs:ListTagsForResource", "logs:DescribeResourcePolicies",
        "rds:Describe*", "rds:ListTagsForResource",
        "secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy", "secretsmanager:ListSecretVersionIds",
        "sns:GetSubscriptionAttributes", "sns:GetTopicAttributes", "sns:ListTagsForResource",
        "wafv2:GetLoggingConfiguration", "wafv2:GetWebACL", "wafv2:GetWebACLForResource", "wafv2:ListTagsForResource",
      ]
      Resource  = ["*"]
      Condition = { StringEquals = { "aws:RequestedRegion" = var.region } }
    },
    {
      # A star in the action: all settings of a bucket, which no object is among. A star in the names: what
      # environments call their buckets, with the account's number at the end.
      Sid      = "ReadBucketConfiguration"
      Effect   = "Allow"
      Action   = ["s3:GetBucket*", "s3:GetAccelerateConfiguration", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration", "s3:GetReplicationConfiguration", "s3:ListBucket"]
      Resource = local.own_buckets
    },
    {
      # Stars: the names of an environment's roles end in what they are for.
      Sid    = "ReadOwnRoles"
      Effect = "Allow"
      Action = ["iam:GetInstanceProfile", "iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListRolePolicies"]
      Resource = flatten([for environment in local.environments : [
        "arn:aws:iam::${var.account_id}:role/coinrequest-${environment}-*",
        "arn:aws:iam::${var.account_id}:instance-profile/coinrequest-${environment}-*",
      ]])
    },
    {
      Sid      = "ReadZone"
      Effect   = "Allow"
      Action   = ["route53:GetHostedZone", "route53:ListResourceRecordSets", "route53:ListTagsForResource"]
      Resource = [local.zone.arn]
    },
    {
      # Stars: to find a zone by its name knows no resource, and a change has a number that Route 53 gives.
      Sid      = "FindZone"
      Effect   = "Allow"
      Action   = ["route53:GetChange", "route53:ListHostedZones", "route53:ListHostedZonesByName"]
      Resource = ["*"]
    },
    {
      Sid      = "ReadOwnBudgets"
      Effect   = "Allow"
      Action   = ["budgets:ListTagsForResource", "budgets:ViewBudget"]
      Resource = [for environment in local.environments : "arn:aws:budgets::${var.account_id}:budget/coinrequest-${environment}"]
    },
    {
      # A star: whatever secret it is. A shell on an instance would lead to them as well.
      Sid      = "NeverReadSecrets"
      Effect   = "Deny"
      Action   = ["secretsmanager:BatchGetSecretValue", "secretsmanager:GetSecretValue", "ssm:StartSession", "ssm:SendCommand"]
      Resource = ["*"]
    },
  ]
}
