# What those see who use it.

locals {
  load_balancer = { LoadBalancer = var.load_balancer_suffix }
  target_group  = merge(local.load_balancer, { TargetGroup = var.target_group_suffix })

  traffic_alarms = merge({
    no-healthy-target = {
      description = "No web server answers: the web app and the API are down."
      namespace   = "AWS/ApplicationELB", metric = "HealthyHostCount", dimensions = local.target_group
      statistic   = "Minimum", comparison = "LessThanThreshold", threshold = 1
      # Without a registered target there is no figure at all.
      periods = 2, missing = "breaching"
    }
    unhealthy-targets = {
      description = "A web server does not answer, and was not replaced within five minutes."
      namespace   = "AWS/ApplicationELB", metric = "UnHealthyHostCount", dimensions = local.target_group
      statistic   = "Maximum", comparison = "GreaterThanThreshold", threshold = 0
      periods     = 5, missing = "notBreaching"
    }
    response-time = {
      description = "One of twenty requests takes more than two seconds."
      namespace   = "AWS/ApplicationELB", metric = "TargetResponseTime", dimensions = local.target_group
      statistic   = "p95", comparison = "GreaterThanThreshold", threshold = 2
      periods     = 15, missing = "notBreaching"
    }
    certificate-days = {
      description = "The certificate ends in less than 30 days; AWS should have renewed it 60 days before."
      namespace   = "AWS/CertificateManager", metric = "DaysToExpiry", dimensions = { CertificateArn = var.certificate_arn }
      statistic   = "Minimum", comparison = "LessThanThreshold", threshold = 30
      # The figure comes twice a day.
      period = 86400, periods = 1, missing = "ignore"
    }
    blocked-requests = {
      description = "The firewall refuses unusually many requests: an attack, or a rule that is wrong."
      namespace   = "AWS/WAFV2", metric = "BlockedRequests"
      dimensions  = { WebACL = var.web_acl_name, Region = var.region, Rule = "ALL" }
      statistic   = "Sum", comparison = "GreaterThanThreshold", threshold = 1000
      period      = 300, periods = 1, missing = "notBreaching"
    }
    }, var.minimums["web"] > 1 ? {
    web-below-minimum = {
      description = "Fewer web servers than there should be answer, and no new one has come within 15 minutes."
      namespace   = "AWS/ApplicationELB", metric = "HealthyHostCount", dimensions = local.target_group
      statistic   = "Minimum", comparison = "LessThanThreshold", threshold = var.minimums["web"]
      periods     = 15, missing = "breaching"
    }
  } : {})

  error_shares = {
    target-errors = {
      description = "More than 5 % of the requests end in a 5xx of the web servers."
      metric      = "HTTPCode_Target_5XX_Count"
      expression  = "IF(requests >= 20, 100 * FILL(errors, 0) / requests, 0)"
    }
    load-balancer-errors = {
      description = "More than 5 % of the requests end in a 5xx of the load balancer: no web server took them in time."
      metric      = "HTTPCode_ELB_5XX_Count"
      # A request that finds no target is no RequestCount.
      expression = "IF(FILL(requests, 0) + FILL(errors, 0) >= 20, 100 * FILL(errors, 0) / (FILL(requests, 0) + FILL(errors, 0)), 0)"
    }
  }
}
