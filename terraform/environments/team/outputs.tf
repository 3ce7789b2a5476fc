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

output "url" {
  description = "Where people open the workbench."
  value       = module.load_balancer.url
}

output "database_identifier" {
  description = "The database in RDS."
  value       = module.database.identifier
}

output "autoscaling_group_name" {
  description = "The group of GPU machines."
  value       = module.gpu_workers.autoscaling_group_name
}

output "gpu_log_group_name" {
  description = "Where GPU workers write their log."
  value       = module.gpu_workers.log_group_name
}
