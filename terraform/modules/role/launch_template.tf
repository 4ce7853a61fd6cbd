data "aws_ami" "this" {
  owners = ["amazon"]
  # Amazon deprecates an image after three months. A pinned one is found nevertheless, and renewed by hand.
  include_deprecated = true

  filter {
    name   = "name"
    values = [var.machine_image]
  }

  filter {
    name   = "architecture"
    values = ["x86_64"]
  }

  filter {
    name   = "virtualization-type"
    values = ["hvm"]
  }
}

# No key pair: who has to look inside uses Session Manager, which asks IAM and keeps a record.
resource "aws_launch_template" "this" {
  name = local.group_name
  # `python -m aws status` reads from it which image an instance runs.
  description            = var.image
  update_default_version = true

  image_id      = data.aws_ami.this.id
  instance_type = var.instance_type
  user_data     = local.user_data

  iam_instance_profile {
    arn = aws_iam_instance_profile.this.arn
  }

  # A token is needed, and it does not pass a router. One hop is enough: containers use the host's network.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
    instance_metadata_tags      = "disabled"
  }

  network_interfaces {
    associate_public_ip_address = false
    delete_on_termination       = true
    security_groups             = [var.security_group_id]
  }

  block_device_mappings {
    device_name = data.aws_ami.this.root_device_name

    # The account's own key of EBS (no kms_key_id). Another one has to let auto scaling's service-linked role, which an
    # empty account does not have yet, make grants: much for a disk that holds nothing to keep.
    ebs {
      volume_type           = "gp3"
      volume_size           = var.disk
      encrypted             = true
      delete_on_termination = true
    }
  }

  # Only the t families have credits.
  dynamic "credit_specification" {
    for_each = startswith(var.instance_type, "t") ? [var.cpu_credits] : []

    content {
      cpu_credits = credit_specification.value
    }
  }

  # Figures each minute cost about US$ 2 a month for each instance. Nothing here scales on them: requests and tasks do
  # have a figure each minute.
  monitoring {
    enabled = false
  }

  # The provider's default tags do not reach what a template launches.
  dynamic "tag_specifications" {
    for_each = toset(["instance", "volume", "network-interface"])

    content {
      resource_type = tag_specifications.value
      tags          = merge(data.aws_default_tags.this.tags, { Name = local.group_name })
    }
  }
}
