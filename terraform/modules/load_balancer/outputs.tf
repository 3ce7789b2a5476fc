output "url" {
  description = "Where people open the workbench."
  value       = "https://${aws_route53_record.app.name}"
}

output "load_balancer_arn_suffix" {
  description = "Its name in CloudWatch."
  value       = aws_lb.this.arn_suffix
}

output "target_group_arn_suffix" {
  description = "Name of the group with the machine in CloudWatch."
  value       = aws_lb_target_group.this.arn_suffix
}
