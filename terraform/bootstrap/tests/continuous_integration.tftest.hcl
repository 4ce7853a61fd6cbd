# Run with: terraform test. Needs no account: the provider is a mock.

mock_provider "aws" {
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000" }
  }

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::coinrequest-terraform-state-123456789012" }
  }

  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mock" }
  }

  mock_resource "aws_route53_zone" {
    defaults = { arn = "arn:aws:route53:::hostedzone/Z0000000000000" }
  }

  mock_resource "aws_ecr_repository" {
    defaults = { arn = "arn:aws:ecr:eu-west-1:123456789012:repository/coinrequest" }
  }
}

variables {
  account_id = "123456789012"
  zone_name  = "example.org"
}

run "without_a_repository_nobody_is_trusted" {
  command = apply

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) + length(aws_iam_role.plan) + length(aws_iam_role.apply) + length(aws_iam_role_policy.read) + length(aws_iam_role_policy.write) == 0
    error_message = "No role of continuous integration is made unless a repository is named."
  }

  assert {
    condition     = output.plan_role_arn == null && output.apply_role_arn == null
    error_message = "There is no role to name."
  }
}

run "a_star_is_no_repository" {
  command = plan

  variables {
    github_repository = "owner/*"
  }

  expect_failures = [var.github_repository]
}

run "who_is_trusted" {
  command = apply

  variables {
    github_repository = "owner/name"
  }

  assert {
    condition     = aws_iam_openid_connect_provider.github[0].url == "https://token.actions.githubusercontent.com" && tolist(aws_iam_openid_connect_provider.github[0].client_id_list) == tolist(["sts.amazonaws.com"])
    error_message = "GitHub says who a workflow is."
  }

  assert {
    condition = alltrue([
      for role in [aws_iam_role.plan[0], aws_iam_role.apply[0]] :
      one(jsondecode(role.assume_role_policy).Statement).Condition.StringEquals["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
    ])
    error_message = "A token for somebody else is refused."
  }

  assert {
    condition = one(jsondecode(aws_iam_role.plan[0].assume_role_policy).Statement).Condition.StringLike == {
      "token.actions.githubusercontent.com:sub" = ["repo:owner/name:ref:refs/heads/*", "repo:owner/name:pull_request"]
    }
    error_message = "Any branch of this repository may plan, and nobody else."
  }

  assert {
    condition = (
      one(jsondecode(aws_iam_role.apply[0].assume_role_policy).Statement).Condition.StringEquals["token.actions.githubusercontent.com:sub"] == ["repo:owner/name:environment:staging", "repo:owner/name:environment:production"] &&
      keys(one(jsondecode(aws_iam_role.apply[0].assume_role_policy).Statement).Condition) == ["StringEquals"]
    )
    error_message = "Only the environments staging and production may apply, by their names."
  }
}

run "what_they_may_do" {
  command = apply

  variables {
    github_repository = "owner/name"
  }

  assert {
    condition     = keys(aws_iam_role_policy.read) == ["coinrequest-workflow-apply", "coinrequest-workflow-plan"] && aws_iam_role_policy.write[0].role == aws_iam_role.apply[0].id
    error_message = "Both roles read; one writes."
  }

  assert {
    condition = alltrue(flatten([
      for statement in jsondecode(aws_iam_role_policy.read["coinrequest-workflow-plan"].policy).Statement : [
        for action in statement.Action : can(regex("^[a-z0-9]+:(Batch)?(Get|Describe|List|View|Check)|^ecr:BatchCheck|^kms:Decrypt$", action))
      ] if statement.Effect == "Allow"
    ]))
    error_message = "The planning role only reads."
  }

  assert {
    condition = alltrue([
      for policy in values(aws_iam_role_policy.read) : anytrue([
        for statement in jsondecode(policy.policy).Statement :
        statement.Effect == "Deny" && statement.Resource == ["*"] && length(setsubtract(["secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue"], statement.Action)) == 0
      ])
    ])
    error_message = "Neither role reads the value of a secret."
  }

  assert {
    condition = alltrue(flatten([
      for statement in concat(jsondecode(aws_iam_role_policy.read["coinrequest-workflow-apply"].policy).Statement, jsondecode(aws_iam_role_policy.write[0].policy).Statement) : [
        for action in statement.Action : contains(["FindZone", "SignInToRegistry"], statement.Sid) || try(statement.Condition.StringEquals["aws:RequestedRegion"], "") == "eu-west-1"
      ] if statement.Effect == "Allow" && contains(statement.Resource, "*")
    ]))
    error_message = "What no name holds back is held to the region; but for the global zone, and for the registry's token."
  }

  assert {
    condition = alltrue(flatten([
      for statement in jsondecode(aws_iam_role_policy.write[0].policy).Statement : [
        for resource in statement.Resource : can(regex("^arn:aws:iam::123456789012:(role|instance-profile)/(coinrequest-(staging|production)-\\*|aws-service-role/\\*)$", resource))
      ] if anytrue([for action in statement.Action : startswith(action, "iam:")])
    ]))
    error_message = "The applying role changes roles of environments alone, and not its own."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.write[0].policy).Statement :
      can(statement.Condition.StringEquals["iam:PassedToService"]) if contains(statement.Action, "iam:PassRole")
    ])
    error_message = "A role is given to the services that need it alone."
  }

  assert {
    condition = toset(flatten([
      for statement in jsondecode(aws_iam_role_policy.write[0].policy).Statement : statement.Resource if statement.Sid == "WriteStates"
      ])) == toset(flatten([
      for environment in ["staging", "production"] : [for suffix in ["", ".tflock"] : "arn:aws:s3:::coinrequest-terraform-state-123456789012/${environment}.tfstate${suffix}"]
    ]))
    error_message = "The state of bootstrap, which holds these roles, is not the applying role's to write."
  }

  assert {
    condition     = one([for statement in jsondecode(aws_iam_role_policy.write[0].policy).Statement : statement.Resource if contains(statement.Action, "ecr:PutImage")]) == ["arn:aws:ecr:eu-west-1:123456789012:repository/coinrequest"]
    error_message = "Images are pushed to the one registry."
  }

  assert {
    condition = alltrue([
      for action in ["rds:DeleteDBInstance", "elasticache:DeleteReplicationGroup", "s3:DeleteBucket", "secretsmanager:DeleteSecret", "kms:ScheduleKeyDeletion"] :
      anytrue([for statement in jsondecode(aws_iam_role_policy.write[0].policy).Statement : statement.Effect == "Deny" && contains(statement.Action, action)])
    ])
    error_message = "A workflow deletes no data."
  }

  # AWS allows 10,240 characters for all policies that stand in one role.
  assert {
    condition     = length(aws_iam_role_policy.read["coinrequest-workflow-apply"].policy) + length(aws_iam_role_policy.write[0].policy) < 10240
    error_message = "The policies are longer than AWS takes."
  }

  assert {
    condition = alltrue([
      for statement in concat(jsondecode(aws_iam_role_policy.read["coinrequest-workflow-apply"].policy).Statement, jsondecode(aws_iam_role_policy.write[0].policy).Statement) : length(statement.Sid) > 0
    ])
    error_message = "Each statement says what it is for."
  }
}
