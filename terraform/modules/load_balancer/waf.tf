# The firewall before the public load balancer: AWS' managed rules, a limit for each address, and no way around the
# listener's 404.

locals {
  # Bodies are definitions of jobs. They rightly hold addresses, SQL, HTML and paths, and are up to 64 KiB long; the
  # rules named here would refuse them, so they only count. What they look for is checked where it is understood: the
  # API takes nothing but its strict schema, and the guard of addresses refuses private ones when a job asks for them.
  # Paths, queries and cookies are still refused for the same contents, but for what is said below.
  managed_rules = {
    # Addresses that attacked others.
    AWSManagedRulesAmazonIpReputationList = { priority = 30, counted = [] }
    # Log4j, Java objects, the paths of known holes. No definition holds those, so that bodies are looked into as well.
    AWSManagedRulesKnownBadInputsRuleSet = { priority = 40, counted = [] }
    AWSManagedRulesCommonRuleSet = {
      priority = 50
      counted = [
        "SizeRestrictions_BODY",   # More than 8 KiB: the API takes 64 and refuses more.
        "EC2MetaDataSSRF_BODY",    # 169.254.169.254: the guard of addresses refuses it, also behind a redirect.
        "GenericRFI_BODY",         # http://192.0.2.1/: the address that a job is to fetch.
        "GenericLFI_BODY",         # ../ in a text: no action opens a path that a definition names.
        "CrossSiteScripting_BODY", # HTML in a mail's text: pages show it as text.
        # More than 2 KiB of query: Airflow's pages name up to 50 DAGs in one, and a cursor may be as long by itself.
        "SizeRestrictions_QUERYSTRING",
        # A name of a job type may end as a file's does: nightly.log.
        "RestrictedExtensions_URIPATH",
        "RestrictedExtensions_QUERYARGUMENTS",
      ]
    }
    AWSManagedRulesSQLiRuleSet = {
      priority = 60
      # The action sql_query is given SQL. It runs it as a user that can only read.
      counted = ["SQLi_BODY", "SQLiExtendedPatterns_BODY"]
    }
  }
}

resource "aws_wafv2_web_acl" "this" {
  #checkov:skip=CKV_AWS_192:AWSManagedRulesKnownBadInputsRuleSet is among local.managed_rules; checkov does not see into a dynamic block
  name  = var.name
  scope = "REGIONAL"

  default_action {
    allow {}
  }

  # The listener compares a path as it was sent, the web server decodes it first: /%65xecution/ would pass the one and
  # reach the API by the other.
  rule {
    name     = "execution-is-not-public"
    priority = 0

    action {
      block {
        custom_response {
          response_code = 404
        }
      }
    }

    statement {
      byte_match_statement {
        positional_constraint = "STARTS_WITH"
        search_string         = "/execution"

        field_to_match {
          uri_path {}
        }

        text_transformation {
          priority = 0
          type     = "URL_DECODE"
        }

        text_transformation {
          priority = 1
          type     = "NORMALIZE_PATH"
        }
      }
    }

    visibility_config {
      metric_name                = "${var.name}-execution-is-not-public"
      cloudwatch_metrics_enabled = true
      sampled_requests_enabled   = true
    }
  }

  rule {
    name     = "requests-per-address"
    priority = 10

    action {
      block {
        custom_response {
          response_code = 429
        }
      }
    }

    statement {
      rate_based_statement {
        limit                 = var.requests_per_address
        evaluation_window_sec = 300
        aggregate_key_type    = "IP"
      }
    }

    visibility_config {
      metric_name                = "${var.name}-requests-per-address"
      cloudwatch_metrics_enabled = true
      sampled_requests_enabled   = true
    }
  }

  # Whoever guesses passwords gets a hundred guesses in five minutes.
  rule {
    name     = "sign-ins-per-address"
    priority = 20

    action {
      block {
        custom_response {
          response_code = 429
        }
      }
    }

    statement {
      rate_based_statement {
        limit                 = 100
        evaluation_window_sec = 300
        aggregate_key_type    = "IP"

        scope_down_statement {
          and_statement {
            statement {
              byte_match_statement {
                positional_constraint = "EXACTLY"
                search_string         = "POST"

                field_to_match {
                  method {}
                }

                text_transformation {
                  priority = 0
                  type     = "NONE"
                }
              }
            }

            statement {
              byte_match_statement {
                positional_constraint = "STARTS_WITH"
                search_string         = "/auth/"

                field_to_match {
                  uri_path {}
                }

                text_transformation {
                  priority = 0
                  type     = "URL_DECODE"
                }
              }
            }
          }
        }
      }
    }

    visibility_config {
      metric_name                = "${var.name}-sign-ins-per-address"
      cloudwatch_metrics_enabled = true
      sampled_requests_enabled   = true
    }
  }

  dynamic "rule" {
    for_each = local.managed_rules

    content {
      name     = rule.key
      priority = rule.value.priority

      override_action {
        none {}
      }

      statement {
        managed_rule_group_statement {
          vendor_name = "AWS"
          name        = rule.key

          dynamic "rule_action_override" {
            for_each = rule.value.counted

            content {
              name = rule_action_override.value

              action_to_use {
                count {}
              }
            }
          }
        }
      }

      visibility_config {
        metric_name                = "${var.name}-${rule.key}"
        cloudwatch_metrics_enabled = true
        sampled_requests_enabled   = true
      }
    }
  }

  visibility_config {
    metric_name                = var.name
    cloudwatch_metrics_enabled = true
    sampled_requests_enabled   = true
  }
}

resource "aws_wafv2_web_acl_association" "public" {
  resource_arn = aws_lb.public.arn
  web_acl_arn  = aws_wafv2_web_acl.this.arn
}
