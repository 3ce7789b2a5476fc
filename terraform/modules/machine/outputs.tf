output "instance_profile_name" {
  description = "What gives a machine its role."
  value       = aws_iam_instance_profile.this.name
}

output "instance_profile_arn" {
  description = "The same as an ARN, for launch templates."
  value       = aws_iam_instance_profile.this.arn
}

output "security_group_id" {
  description = "Lets nothing in; other modules add what has to come."
  value       = aws_security_group.this.id
}

output "log_group_name" {
  description = "Where its containers write their log."
  value       = aws_cloudwatch_log_group.this.name
}

output "region" {
  description = "The region it stands in."
  value       = data.aws_region.here.region
}
