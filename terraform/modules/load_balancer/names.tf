# The names, and one certificate for both. The internal name stands in the public zone too, because a certificate is
# checked there; it resolves to private addresses, which lead nowhere from outside.

data "aws_route53_zone" "this" {
  name = var.zone_name
}

resource "aws_route53_record" "public" {
  zone_id = data.aws_route53_zone.this.zone_id
  name    = var.host_name
  type    = "A"

  alias {
    name                   = aws_lb.public.dns_name
    zone_id                = aws_lb.public.zone_id
    evaluate_target_health = true
  }
}

resource "aws_route53_record" "internal" {
  zone_id = data.aws_route53_zone.this.zone_id
  name    = local.internal_host_name
  type    = "A"

  alias {
    name                   = aws_lb.internal.dns_name
    zone_id                = aws_lb.internal.zone_id
    evaluate_target_health = true
  }
}

resource "aws_acm_certificate" "this" {
  domain_name               = var.host_name
  subject_alternative_names = [local.internal_host_name]
  validation_method         = "DNS"

  # A listener has one at any moment.
  lifecycle {
    create_before_destroy = true
  }
}

# ACM renews the certificate by itself as long as these records stay.
resource "aws_route53_record" "validation" {
  for_each = toset([var.host_name, local.internal_host_name])

  zone_id         = data.aws_route53_zone.this.zone_id
  name            = one([for option in aws_acm_certificate.this.domain_validation_options : option.resource_record_name if option.domain_name == each.key])
  type            = one([for option in aws_acm_certificate.this.domain_validation_options : option.resource_record_type if option.domain_name == each.key])
  records         = [for option in aws_acm_certificate.this.domain_validation_options : option.resource_record_value if option.domain_name == each.key]
  ttl             = 60
  allow_overwrite = true
}

resource "aws_acm_certificate_validation" "this" {
  certificate_arn         = aws_acm_certificate.this.arn
  validation_record_fqdns = [for record in aws_route53_record.validation : record.fqdn]
}
