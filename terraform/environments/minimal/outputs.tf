output "repository_urls" {
  description = "Target of the Dockerfile → repository to push it to."
  value       = module.registry.repository_urls
}

output "bucket" {
  description = "Where videos, labels, models and results are."
  value       = module.storage.bucket
}

output "instance_id" {
  description = "The machine with the workbench."
  value       = module.app.instance_id
}

output "log_group_name" {
  description = "Where workbench and worker write their log."
  value       = module.app.log_group_name
}

output "data_volume_id" {
  description = "The machine's data volume."
  value       = module.app.data_volume_id
}

output "open_workbench" {
  description = "What to type to have the workbench at http://localhost:8501; needs the Session Manager plugin of the AWS command line."
  value       = "aws ssm start-session --region ${var.region} --target ${module.app.instance_id} --document-name AWS-StartPortForwardingSession --parameters portNumber=8501,localPortNumber=8501"
}
