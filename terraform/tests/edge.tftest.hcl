# What the world reaches, and what it does not. Needs no account: the provider is a mock.

mock_provider "aws" {
  mock_resource "aws_lb" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/mock/0000000000000000" }
  }

  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/mock/0000000000000000" }
  }

  mock_resource "aws_lb_listener" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/mock/0000000000000000/0000000000000000" }
  }

  mock_resource "aws_acm_certificate" {
    defaults = {
      arn = "arn:aws:acm:eu-west-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
      domain_validation_options = [
        { domain_name = "jobs.example.org", resource_record_name = "_a.jobs.example.org", resource_record_type = "CNAME", resource_record_value = "_a.acm-validations.aws" },
        { domain_name = "internal.jobs.example.org", resource_record_name = "_b.internal.jobs.example.org", resource_record_type = "CNAME", resource_record_value = "_b.acm-validations.aws" },
      ]
    }
  }

  mock_resource "aws_wafv2_web_acl" {
    defaults = { arn = "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/mock/00000000-0000-0000-0000-000000000000" }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-west-1:123456789012:log-group:aws-waf-logs-coinrequest-production" }
  }

  mock_data "aws_route53_zone" {
    defaults = { zone_id = "Z0000000000000" }
  }
}

variables {
  name                       = "coinrequest-production"
  vpc_id                     = "vpc-00000000000000000"
  public_subnet_ids          = ["subnet-00000000000000001", "subnet-00000000000000002", "subnet-00000000000000003"]
  private_subnet_ids         = ["subnet-00000000000000004", "subnet-00000000000000005", "subnet-00000000000000006"]
  public_security_group_id   = "sg-00000000000000001"
  internal_security_group_id = "sg-00000000000000002"
  zone_name                  = "example.org"
  host_name                  = "jobs.example.org"
  access_log_bucket          = "coinrequest-production-access-logs"
  requests_per_address       = 3000
  log_days                   = 90
  kms_key_arn                = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  protected                  = true
}

run "public_is_https_alone" {
  command = apply

  module {
    source = "./modules/load_balancer"
  }

  assert {
    condition     = !coalesce(aws_lb.public.internal, false) && toset(aws_lb.public.subnets) == toset(var.public_subnet_ids) && aws_lb.public.security_groups == toset([var.public_security_group_id])
    error_message = "The public load balancer stands in the public subnets of every zone, behind its own security group."
  }

  assert {
    condition     = aws_lb_listener.http.port == 80 && aws_lb_listener.http.default_action[0].type == "redirect" && aws_lb_listener.http.default_action[0].redirect[0].protocol == "HTTPS" && aws_lb_listener.http.default_action[0].redirect[0].status_code == "HTTP_301"
    error_message = "HTTP does nothing but lead to HTTPS."
  }

  assert {
    condition     = alltrue([for listener in [aws_lb_listener.https, aws_lb_listener.internal] : listener.port == 443 && listener.protocol == "HTTPS" && startswith(listener.ssl_policy, "ELBSecurityPolicy-TLS13-1-2-")])
    error_message = "Both load balancers speak TLS 1.2 and 1.3 alone."
  }

  assert {
    condition     = startswith(aws_lb_listener.https.routing_http_response_strict_transport_security_header_value, "max-age=31536000")
    error_message = "A browser remembers that there is no HTTP."
  }

  assert {
    condition     = aws_lb_listener.https.certificate_arn == aws_acm_certificate.this.arn && aws_acm_certificate.this.domain_name == "jobs.example.org" && aws_acm_certificate.this.subject_alternative_names == toset(["internal.jobs.example.org"]) && aws_acm_certificate.this.validation_method == "DNS"
    error_message = "One certificate covers both names, and DNS proves them, so that it renews by itself."
  }

  assert {
    condition     = { for name, record in aws_route53_record.validation : name => one(record.records) } == { "jobs.example.org" = "_a.acm-validations.aws", "internal.jobs.example.org" = "_b.acm-validations.aws" }
    error_message = "Each name of the certificate is proven by its own record."
  }
}

run "the_api_of_tasks_is_not_public" {
  command = apply

  module {
    source = "./modules/load_balancer"
  }

  assert {
    condition = (
      aws_lb_listener_rule.execution_is_not_public.listener_arn == aws_lb_listener.https.arn &&
      aws_lb_listener_rule.execution_is_not_public.priority == 1 &&
      one([for condition in aws_lb_listener_rule.execution_is_not_public.condition : condition.path_pattern[0].values]) == toset(["/execution", "/execution/*"]) &&
      aws_lb_listener_rule.execution_is_not_public.action[0].fixed_response[0].status_code == "404"
    )
    error_message = "The public listener answers 404 under /execution before anything else."
  }

  assert {
    condition = anytrue([
      for rule in aws_wafv2_web_acl.this.rule :
      rule.priority == 0 && rule.action[0].block[0].custom_response[0].response_code == 404 &&
      rule.statement[0].byte_match_statement[0].search_string == "/execution" &&
      toset(rule.statement[0].byte_match_statement[0].text_transformation[*].type) == toset(["URL_DECODE", "NORMALIZE_PATH"])
      if rule.name == "execution-is-not-public"
    ])
    error_message = "Another spelling of the path (/%65xecution) is refused as well."
  }

  assert {
    condition = (
      aws_lb.internal.internal && toset(aws_lb.internal.subnets) == toset(var.private_subnet_ids) &&
      aws_lb.internal.security_groups == toset([var.internal_security_group_id]) &&
      aws_lb_listener.internal.default_action[0].fixed_response[0].status_code == "404" &&
      aws_lb_listener_rule.execution.action[0].type == "forward" &&
      one([for condition in aws_lb_listener_rule.execution.condition : condition.path_pattern[0].values]) == toset(["/execution", "/execution/*"])
    )
    error_message = "The internal load balancer stands in private subnets and serves the API of tasks alone."
  }

  assert {
    condition     = output.internal_url == "https://internal.jobs.example.org" && aws_route53_record.internal.name == "internal.jobs.example.org" && aws_route53_record.internal.alias[0].name == aws_lb.internal.dns_name
    error_message = "Agents find the internal load balancer by a name that the certificate covers."
  }

  assert {
    condition     = aws_route53_record.public.name == "jobs.example.org" && aws_route53_record.public.alias[0].name == aws_lb.public.dns_name
    error_message = "The web app's name leads to the public load balancer."
  }
}

run "the_firewall" {
  command = apply

  module {
    source = "./modules/load_balancer"
  }

  assert {
    condition     = aws_wafv2_web_acl.this.scope == "REGIONAL" && aws_wafv2_web_acl_association.public.resource_arn == aws_lb.public.arn
    error_message = "The firewall stands before the public load balancer."
  }

  assert {
    condition = toset(flatten([
      for rule in aws_wafv2_web_acl.this.rule : rule.statement[0].managed_rule_group_statement[*].name
    ])) == toset(["AWSManagedRulesAmazonIpReputationList", "AWSManagedRulesKnownBadInputsRuleSet", "AWSManagedRulesCommonRuleSet", "AWSManagedRulesSQLiRuleSet"])
    error_message = "The managed rules are those against bad addresses, known holes, the common attacks and SQL."
  }

  assert {
    condition     = alltrue([for rule in aws_wafv2_web_acl.this.rule : length(rule.override_action[0].none) == 1 if length(rule.statement[0].managed_rule_group_statement) == 1])
    error_message = "No group of managed rules only counts."
  }

  # Every rule that only counts is on this list; waf.tf says why.
  assert {
    condition = toset(flatten([
      for rule in aws_wafv2_web_acl.this.rule : [for group in rule.statement[0].managed_rule_group_statement : group.rule_action_override[*].name]
      ])) == toset([
      "SizeRestrictions_BODY", "EC2MetaDataSSRF_BODY", "GenericRFI_BODY", "GenericLFI_BODY", "CrossSiteScripting_BODY", "SQLi_BODY",
      "SQLiExtendedPatterns_BODY", "SizeRestrictions_QUERYSTRING", "RestrictedExtensions_URIPATH", "RestrictedExtensions_QUERYARGUMENTS",
    ])
    error_message = "Rules that would refuse definitions only count, and no others do."
  }

  assert {
    condition = { for rule in aws_wafv2_web_acl.this.rule : rule.name => {
      limit = rule.statement[0].rate_based_statement[0].limit, per = rule.statement[0].rate_based_statement[0].aggregate_key_type, answer = rule.action[0].block[0].custom_response[0].response_code
      } if length(rule.statement[0].rate_based_statement) == 1 } == {
      requests-per-address = { limit = 3000, per = "IP", answer = 429 }
      sign-ins-per-address = { limit = 100, per = "IP", answer = 429 }
    }
    error_message = "One address sends only so many requests, and fewer sign-ins."
  }

  assert {
    condition = (
      aws_cloudwatch_log_group.waf.name == "aws-waf-logs-coinrequest-production" && aws_cloudwatch_log_group.waf.retention_in_days == 90 &&
      aws_cloudwatch_log_group.waf.kms_key_id == var.kms_key_arn && aws_wafv2_web_acl_logging_configuration.this.log_destination_configs == toset([aws_cloudwatch_log_group.waf.arn])
    )
    error_message = "What the firewall refused is logged, encrypted, and ends."
  }

  assert {
    condition     = toset(flatten([for field in aws_wafv2_web_acl_logging_configuration.this.redacted_fields : field.single_header[*].name])) == toset(["authorization", "cookie"])
    error_message = "The firewall's log must not hold what people sign in with."
  }
}

run "requests_arrive" {
  command = apply

  module {
    source = "./modules/load_balancer"
  }

  assert {
    condition     = alltrue([for balancer in [aws_lb.public, aws_lb.internal] : balancer.access_logs[0].enabled && balancer.access_logs[0].bucket == var.access_log_bucket])
    error_message = "Every request is logged."
  }

  assert {
    condition     = alltrue([for balancer in [aws_lb.public, aws_lb.internal] : balancer.drop_invalid_header_fields && balancer.enable_deletion_protection])
    error_message = "Malformed headers are dropped, and a load balancer is not deleted by mistake."
  }

  # A client waits 60 s for its job, and the web server closes an idle connection after 120 s.
  assert {
    condition     = alltrue([for balancer in [aws_lb.public, aws_lb.internal] : balancer.idle_timeout > 60 && balancer.idle_timeout < 120])
    error_message = "A load balancer waits longer than a client, and shorter than the web server."
  }

  assert {
    condition     = alltrue([for group in [aws_lb_target_group.public, aws_lb_target_group.internal] : group.port == 8080 && group.health_check[0].path == "/api/v2/version" && group.health_check[0].matcher == "200" && tonumber(group.deregistration_delay) > 60])
    error_message = "Only a web server that answers gets requests, and one that goes may answer those it has."
  }

  assert {
    condition     = aws_lb_target_group.public.stickiness[0].type == "lb_cookie" && aws_lb_target_group.public.slow_start > 0 && aws_lb_target_group.public.load_balancing_algorithm_type == "round_robin"
    error_message = "A browser stays with its instance, and a new one is not flooded: AWS refuses slow start with the fewest open requests."
  }

  assert {
    condition     = output.target_group_arns == [aws_lb_target_group.public.arn, aws_lb_target_group.internal.arn] && output.request_count_label == "${aws_lb.public.arn_suffix}/${aws_lb_target_group.public.arn_suffix}"
    error_message = "Instances join both target groups; the web group scales by the public one."
  }
}

run "an_environment_that_may_go" {
  command = apply

  module {
    source = "./modules/load_balancer"
  }

  variables {
    protected = false
  }

  assert {
    condition     = !aws_lb.public.enable_deletion_protection && !aws_lb.internal.enable_deletion_protection
    error_message = "Without protection a destroy leaves no load balancer."
  }
}

run "names_fit_into_what_aws_allows" {
  command = plan

  module {
    source = "./modules/load_balancer"
  }

  variables {
    name = "coinrequest-development"
  }

  assert {
    condition     = alltrue([for name in [aws_lb.public.name, aws_lb.internal.name, aws_lb_target_group.public.name, aws_lb_target_group.internal.name] : length(name) <= 32])
    error_message = "Names of load balancers and target groups have 32 characters at most."
  }
}
