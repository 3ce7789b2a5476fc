# What a machine is told when it starts: files, systemd units and settings, as cloud-init takes them. No resources here,
# so that it can be looked at without an account: `terraform apply` in this folder prints it.

locals {
  machine_env  = join("", [for name in sort(keys(var.machine)) : "${name}=${var.machine[name]}\n"])
  settings_env = join("", [for name in sort(keys(var.settings)) : "${name}=${var.settings[name]}\n"])

  cloud_config = templatefile("${path.module}/templates/cloud-config.yaml.tftpl", {
    packages            = length(var.packages) == 0 ? "" : "packages: ${jsonencode(var.packages)}\n" # an empty list is refused
    units               = join(", ", var.units)
    machine_env         = base64encode(local.machine_env)
    settings_env        = base64encode(local.settings_env)
    script_boot         = filebase64("${path.module}/files/prismata-boot")
    script_run          = filebase64("${path.module}/files/prismata-run")
    script_metric       = filebase64("${path.module}/files/prismata-metric")
    script_leave        = filebase64("${path.module}/files/prismata-leave")
    unit_boot_service   = filebase64("${path.module}/files/prismata-boot.service")
    unit_role_service   = filebase64("${path.module}/files/prismata@.service")
    unit_metric_service = filebase64("${path.module}/files/prismata-metric.service")
    unit_metric_timer   = filebase64("${path.module}/files/prismata-metric.timer")
    unit_leave_service  = filebase64("${path.module}/files/prismata-leave.service")
    unit_gpu_limit      = filebase64("${path.module}/files/gpu-worker-limit.conf")
    unit_leave_timer    = filebase64("${path.module}/files/prismata-leave.timer")
  })
}
