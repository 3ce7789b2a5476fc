output "instance_id" {
  description = "The machine, for Session Manager, alarms and load balancers."
  value       = aws_instance.this.id
}

output "security_group_id" {
  description = "Its security group; it lets nothing in."
  value       = module.machine.security_group_id
}

output "data_volume_id" {
  description = "The volume with the catalog, for restoring a snapshot."
  value       = aws_ebs_volume.data.id
}

output "log_group_name" {
  description = "Where workbench and worker write their log."
  value       = module.machine.log_group_name
}
