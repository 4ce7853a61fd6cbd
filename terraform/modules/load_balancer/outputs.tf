# What says depends_on is of no use before the listeners are there: a group of instances waits for its targets to become
# healthy, and a target group that no listener names has no health.

output "internal_url" {
  description = "Where agents, the scheduler and the triggerer reach the API of tasks, without a path."
  value       = "https://${local.internal_host_name}"
}

output "target_group_arns" {
  description = "Both target groups: each web instance is in both."
  value       = [aws_lb_target_group.public.arn, aws_lb_target_group.internal.arn]
  depends_on  = [aws_lb_listener.https, aws_lb_listener_rule.execution]
}

output "request_count_label" {
  description = "The public load balancer and its target group, as ALBRequestCountPerTarget names them."
  value       = "${aws_lb.public.arn_suffix}/${aws_lb_target_group.public.arn_suffix}"
  depends_on  = [aws_lb_listener.https]
}

output "load_balancer_suffix" {
  description = "The public load balancer, as CloudWatch names it."
  value       = aws_lb.public.arn_suffix
}

output "target_group_suffix" {
  description = "Its target group, as CloudWatch names it."
  value       = aws_lb_target_group.public.arn_suffix
}

output "certificate_arn" {
  description = "The certificate of both names, when it is valid."
  value       = aws_acm_certificate_validation.this.certificate_arn
}

output "web_acl_name" {
  description = "The firewall, as CloudWatch names it."
  value       = aws_wafv2_web_acl.this.name
}
