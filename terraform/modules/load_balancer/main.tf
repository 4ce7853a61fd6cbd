# What the world reaches: HTTPS on 443, and a redirect to it on 80. TLS ends here.

locals {
  internal_host_name = "internal.${var.host_name}"
  # Only TLS 1.2 with forward secrecy and authenticated encryption, and TLS 1.3.
  tls_policy  = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
  health_path = "/api/v2/version"
  # Tasks speak to Airflow under this path. That is for agents alone.
  execution_paths = ["/execution", "/execution/*"]
}

resource "aws_lb" "public" {
  #checkov:skip=CKV_AWS_150:On where protected is true, which is the default; make destroy takes it off first
  #checkov:skip=CKV2_AWS_76:The rules against Log4j are in waf.tf (local.managed_rules); checkov does not see into a dynamic block
  name                       = var.name
  load_balancer_type         = "application"
  subnets                    = var.public_subnet_ids
  security_groups            = [var.public_security_group_id]
  drop_invalid_header_fields = true
  enable_deletion_protection = var.protected

  # Longer than the longest silence: a client waits 60 s at most for its job (?wait=60). Shorter than the 120 s after
  # which the web server closes an idle connection (api.worker_timeout): the other way round the load balancer would now
  # and then send a request into a closed one, which is a 502.
  idle_timeout = 110

  access_logs {
    bucket  = var.access_log_bucket
    prefix  = "public"
    enabled = true
  }
}

resource "aws_lb_target_group" "public" {
  #checkov:skip=CKV_AWS_378:TLS ends at the load balancer; from there a request stays in private subnets, and only the load balancers' security groups get in
  name     = "${var.name}-public"
  vpc_id   = var.vpc_id
  port     = 8080
  protocol = "HTTP"

  # A request that waits for its job takes 60 s.
  deregistration_delay = 90

  # A new web server is slow until its caches are warm. The algorithm of the fewest open requests would do the opposite:
  # it sends a newcomer, who has none, everything; AWS allows only one of the two.
  slow_start                    = 60
  load_balancing_algorithm_type = "round_robin"

  # While a new version rolls out, the scripts that a page names exist only on instances of its own version.
  stickiness {
    type            = "lb_cookie"
    cookie_duration = 3600
  }

  # Not /api/v2/monitor/health: a database that is away must not make the group replace its web servers.
  health_check {
    path                = local.health_path
    matcher             = "200"
    interval            = 15
    timeout             = 10
    healthy_threshold   = 2
    unhealthy_threshold = 4
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.public.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = "redirect"

    redirect {
      port        = "443"
      protocol    = "HTTPS"
      status_code = "HTTP_301"
    }
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.public.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = local.tls_policy
  certificate_arn   = aws_acm_certificate_validation.this.certificate_arn

  # Browsers that were here once do not try HTTP again for a year.
  routing_http_response_strict_transport_security_header_value = "max-age=31536000"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.public.arn
  }
}

# The firewall (waf.tf) refuses other spellings of these paths.
resource "aws_lb_listener_rule" "execution_is_not_public" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 1

  condition {
    path_pattern {
      values = local.execution_paths
    }
  }

  action {
    type = "fixed-response"

    fixed_response {
      content_type = "text/plain"
      message_body = "Not found"
      status_code  = "404"
    }
  }
}
