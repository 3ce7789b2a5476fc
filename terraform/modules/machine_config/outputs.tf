output "cloud_config" {
  description = "The user data as text, to look at."
  value       = local.cloud_config
}

output "user_data_base64" {
  description = "The user data, compressed: EC2 takes 16 KB at most."
  value       = base64gzip(local.cloud_config)
}
