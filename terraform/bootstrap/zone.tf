# The zone that the names of all environments are in. A zone that is made here answers to nobody until its parent names
# its servers (output name_servers).

resource "aws_route53_zone" "this" {
  #checkov:skip=CKV2_AWS_38:DNSSEC takes a key in another region than the one that this project may use
  #checkov:skip=CKV2_AWS_39:Query logs take a log group in another region than the one that this project may use
  count = var.create_zone ? 1 : 0

  name          = var.zone_name
  comment       = "coinrequest"
  force_destroy = var.allow_destroy
}

data "aws_route53_zone" "this" {
  count = var.create_zone ? 0 : 1

  name = var.zone_name
}

locals {
  zone = one(concat(aws_route53_zone.this[*], data.aws_route53_zone.this[*]))
}
