# Run with: terraform test. Needs no account: the provider is a mock.

mock_provider "aws" {
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000" }
  }

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::coinrequest-terraform-state-123456789012" }
  }

  mock_resource "aws_route53_zone" {
    defaults = { name_servers = ["ns-1.example.net", "ns-2.example.net"] }
  }

  mock_data "aws_route53_zone" {
    defaults = { zone_id = "ZFOUND", name_servers = ["ns-3.example.net"] }
  }
}

variables {
  account_id = "123456789012"
  zone_name  = "example.org"
}

run "a_zone_is_made" {
  command = apply

  assert {
    condition     = aws_route53_zone.this[0].name == "example.org" && !aws_route53_zone.this[0].force_destroy && output.name_servers == tolist(["ns-1.example.net", "ns-2.example.net"])
    error_message = "The zone is made, says what its parent has to name, and is not deleted with records in it."
  }

  assert {
    condition     = length(data.aws_route53_zone.this) == 0
    error_message = "A zone that is made is not looked for."
  }
}

run "a_zone_is_found" {
  command = apply

  variables {
    create_zone = false
  }

  assert {
    condition     = length(aws_route53_zone.this) == 0 && output.zone_id == "ZFOUND" && output.name_servers == tolist(["ns-3.example.net"])
    error_message = "A zone that the account has is used, and not made a second time."
  }
}

run "a_name_of_a_zone_is_checked" {
  command = plan

  variables {
    zone_name = "example.org."
  }

  expect_failures = [var.zone_name]
}

run "the_registry" {
  command = apply

  module {
    source = "../modules/registry"
  }

  variables {
    name = "coinrequest"
  }

  assert {
    condition     = aws_ecr_repository.this.name == "coinrequest" && aws_ecr_repository.this.image_tag_mutability == "IMMUTABLE"
    error_message = "A tag names one image for good."
  }

  assert {
    condition     = aws_ecr_repository.this.image_scanning_configuration[0].scan_on_push && aws_ecr_repository.this.encryption_configuration[0].encryption_type == "KMS"
    error_message = "Images are scanned when they are pushed, and encrypted."
  }

  assert {
    condition     = !aws_ecr_repository.this.force_delete
    error_message = "A destroy must not take the images with it unless that was asked for."
  }

  assert {
    condition = [for rule in jsondecode(aws_ecr_lifecycle_policy.this.policy).rules : [rule.selection.tagStatus, rule.selection.countType, rule.selection.countNumber]] == [
      ["untagged", "sinceImagePushed", 7], ["tagged", "imageCountMoreThan", 30],
    ]
    error_message = "The thirty newest releases stay; what no tag names ends after a week."
  }
}

run "the_end_takes_everything" {
  command = apply

  variables {
    allow_destroy = true
  }

  assert {
    condition     = aws_s3_bucket.state.force_destroy && aws_route53_zone.this[0].force_destroy
    error_message = "At the end of the installation nothing stays."
  }
}
