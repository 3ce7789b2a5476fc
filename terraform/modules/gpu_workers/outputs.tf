output "autoscaling_group_name" {
  description = "The group of machines."
  value       = aws_autoscaling_group.this.name
}

output "security_group_id" {
  description = "Security group of the machines; it lets nothing in."
  value       = module.machine.security_group_id
}

output "log_group_name" {
  description = "Where workers write their log."
  value       = module.machine.log_group_name
}
