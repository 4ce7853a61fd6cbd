# Who a workflow is, GitHub says (OIDC); no key of AWS is stored there. There are two roles: one that reads, for every
# branch, and one that applies, for GitHub's environments staging and production, whose rules say who has to approve.

locals {
  has_workflows = var.github_repository != ""
  issuer        = "token.actions.githubusercontent.com"
  # Development belongs to whoever tries something out, with their own credentials.
  environments = ["staging", "production"]

  trust = {
    Effect    = "Allow"
    Principal = { Federated = one(aws_iam_openid_connect_provider.github[*].arn) }
    Action    = "sts:AssumeRoleWithWebIdentity"
  }
}

resource "aws_iam_openid_connect_provider" "github" {
  count = local.has_workflows ? 1 : 0

  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}

# The names of both roles are outside of what the second may change (coinrequest-staging-*, coinrequest-production-*).
resource "aws_iam_role" "plan" {
  count = local.has_workflows ? 1 : 0

  name        = "coinrequest-workflow-plan"
  description = "Workflows of any branch: read what is there, and plan"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [merge(local.trust, {
      Sid = "AnyBranchOfThisRepository"
      Condition = {
        StringEquals = { "${local.issuer}:aud" = "sts.amazonaws.com" }
        # The star is the branch. A fork's pull request gets no token from GitHub.
        StringLike = { "${local.issuer}:sub" = ["repo:${var.github_repository}:ref:refs/heads/*", "repo:${var.github_repository}:pull_request"] }
      }
    })]
  })
}

resource "aws_iam_role" "apply" {
  count = local.has_workflows ? 1 : 0

  name        = "coinrequest-workflow-apply"
  description = "Workflows of staging and production: push images, and apply"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [merge(local.trust, {
      Sid = "ProtectedEnvironmentsOfThisRepository"
      Condition = { StringEquals = {
        "${local.issuer}:aud" = "sts.amazonaws.com"
        "${local.issuer}:sub" = [for environment in local.environments : "repo:${var.github_repository}:environment:${environment}"]
      } }
    })]
  })
}

resource "aws_iam_role_policy" "read" {
  for_each = { for role in concat(aws_iam_role.plan, aws_iam_role.apply) : role.name => role.id }

  name   = "read"
  role   = each.value
  policy = jsonencode({ Version = "2012-10-17", Statement = local.read_statements })
}

resource "aws_iam_role_policy" "write" {
  count = local.has_workflows ? 1 : 0

  name   = "write"
  role   = aws_iam_role.apply[0].id
  policy = jsonencode({ Version = "2012-10-17", Statement = concat(local.write_statements, local.write_identity_statements, local.keep_statements) })
}
