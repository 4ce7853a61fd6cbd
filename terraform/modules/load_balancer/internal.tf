# What agents, the scheduler and the triggerer reach: the API through which tasks speak to Airflow, and nothing else.

resource "aws_lb" "internal" {
  #checkov:skip=CKV_AWS_150:On where protected is true, which is the default; make destroy takes it off first
  name                       = "${var.name}-internal"
  internal                   = true
  load_balancer_type         = "application"
  subnets                    = var.private_subnet_ids
  security_groups            = [var.internal_security_group_id]
  drop_invalid_header_fields = true
  enable_deletion_protection = var.protected
  # Below the web server's 120 s, as in public.
  idle_timeout = 110

  access_logs {
    bucket  = var.access_log_bucket
    prefix  = "internal"
    enabled = true
  }
}

# A target group belongs to one load balancer. Tasks keep no cookie and load no page, so that the fewest open requests
# decide.
resource "aws_lb_target_group" "internal" {
  #checkov:skip=CKV_AWS_378:TLS ends at the load balancer; from there a request stays in private subnets, and only the load balancers' security groups get in
  name                          = "${var.name}-internal"
  vpc_id                        = var.vpc_id
  port                          = 8080
  protocol                      = "HTTP"
  deregistration_delay          = 90
  load_balancing_algorithm_type = "least_outstanding_requests"

  health_check {
    path                = local.health_path
    matcher             = "200"
    interval            = 15
    timeout             = 10
    healthy_threshold   = 2
    unhealthy_threshold = 4
  }
}

resource "aws_lb_listener" "internal" {
  load_balancer_arn = aws_lb.internal.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = local.tls_policy
  certificate_arn   = aws_acm_certificate_validation.this.certificate_arn

  default_action {
    type = "fixed-response"

    fixed_response {
      content_type = "text/plain"
      message_body = "Not found"
      status_code  = "404"
    }
  }
}

resource "aws_lb_listener_rule" "execution" {
  listener_arn = aws_lb_listener.internal.arn
  priority     = 1

  condition {
    path_pattern {
      values = local.execution_paths
    }
  }

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.internal.arn
  }
}
