output "topic_arn" {
  description = "Where alarms are told, for more subscribers."
  value       = aws_sns_topic.this.arn
}
