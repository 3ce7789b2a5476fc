output "parameter_arns" {
  description = "Name → ARN of the parameter."
  value       = { for name, parameter in aws_ssm_parameter.this : name => parameter.arn }
}
