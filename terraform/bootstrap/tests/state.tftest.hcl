# Run with: terraform test. Needs no account: the provider is a mock.

mock_provider "aws" {
  mock_resource "aws_kms_key" {
    defaults = {
      arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
    }
  }

  mock_resource "aws_s3_bucket" {
    defaults = {
      arn = "arn:aws:s3:::coinrequest-terraform-state-123456789012"
    }
  }
}

variables {
  account_id = "123456789012"
  zone_name  = "example.org"
}

run "another_region_is_refused" {
  command = plan

  variables {
    region = "elsewhere-1"
  }

  expect_failures = [var.region]
}

run "a_wrong_account_is_refused" {
  command = plan

  variables {
    account_id = "my-account"
  }

  expect_failures = [var.account_id]
}

run "the_state_is_safe" {
  command = apply

  assert {
    condition     = aws_s3_bucket.state.bucket == "coinrequest-terraform-state-123456789012"
    error_message = "The bucket's name has to hold the account: bucket names are shared by the whole world."
  }

  assert {
    condition     = aws_s3_bucket.state.force_destroy == false
    error_message = "A destroy must not take the states with it unless that was asked for."
  }

  assert {
    condition     = aws_s3_bucket_versioning.state.versioning_configuration[0].status == "Enabled"
    error_message = "Without versions a damaged state is lost."
  }

  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_server_side_encryption_configuration.state.rule :
      rule.apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms" &&
      rule.apply_server_side_encryption_by_default[0].kms_master_key_id == aws_kms_key.state.arn
    ])
    error_message = "The bucket has to be encrypted with the project's own key."
  }

  assert {
    condition     = aws_kms_key.state.enable_key_rotation
    error_message = "The key has to rotate."
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.state.block_public_acls,
      aws_s3_bucket_public_access_block.state.block_public_policy,
      aws_s3_bucket_public_access_block.state.ignore_public_acls,
      aws_s3_bucket_public_access_block.state.restrict_public_buckets,
    ])
    error_message = "Public access has to be blocked in all four ways."
  }

  assert {
    condition     = aws_s3_bucket_ownership_controls.state.rule[0].object_ownership == "BucketOwnerEnforced"
    error_message = "Access lists of single objects have to be off."
  }

  assert {
    condition = anytrue([
      for statement in jsondecode(aws_s3_bucket_policy.state.policy).Statement :
      statement.Effect == "Deny" && statement.Principal == "*" && statement.Action == "s3:*" &&
      try(statement.Condition.Bool["aws:SecureTransport"], "") == "false" &&
      toset(statement.Resource) == toset([aws_s3_bucket.state.arn, "${aws_s3_bucket.state.arn}/*"])
    ])
    error_message = "The bucket and everything in it has to refuse requests without TLS."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_s3_bucket_policy.state.policy).Statement : statement.Effect == "Deny"
    ])
    error_message = "The bucket's policy must not grant anything: IAM decides."
  }

  assert {
    condition = (
      aws_s3_bucket_lifecycle_configuration.state.rule[0].status == "Enabled" &&
      aws_s3_bucket_lifecycle_configuration.state.rule[0].noncurrent_version_expiration[0].noncurrent_days == 90 &&
      aws_s3_bucket_lifecycle_configuration.state.rule[0].noncurrent_version_expiration[0].newer_noncurrent_versions == 10
    )
    error_message = "Old versions have to end, but for the ten newest."
  }

  assert {
    condition     = alltrue([for line in ["use_lockfile = true", "encrypt      = true", "region       = \"eu-west-1\""] : strcontains(output.backend, line)])
    error_message = "The backend has to be encrypted, locked, and in the one region."
  }
}

run "everything_is_tagged" {
  command = plan

  # The mock does not merge the default tags; what can be seen is that nothing overrides them.
  assert {
    condition     = aws_s3_bucket.state.tags == null && aws_kms_key.state.tags == null
    error_message = "Tags come from the provider's default_tags."
  }
}
