variable "machine" {
  description = "What the scripts on the machine have to know, as NAME → value: AWS_REGION, REGISTRY, IMAGES, LOG_GROUP and so on."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name, value in var.machine : can(regex("^[A-Z][A-Z0-9_]*$", name)) && !can(regex("[\"'\\\\\n]", value))])
    error_message = "Names are capital letters, digits and underscores; values have no quotes, backslashes or line breaks."
  }
}

variable "settings" {
  description = "PRISMATA_* settings that are no secret; see docs/settings.md."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name, value in var.settings : startswith(name, "PRISMATA_") && !can(regex("\n", value))])
    error_message = "Only PRISMATA_* settings on one line each go here."
  }
}

variable "units" {
  description = "Systemd units that this machine runs."
  type        = list(string)
  default     = ["prismata@app.service"]

  validation {
    condition     = length(var.units) > 0 && alltrue([for unit in var.units : can(regex("^prismata(@(app|worker|gpu-worker|tunnel)\\.service|-(metric|leave)\\.timer)$", unit))])
    error_message = "There are prismata@app, @worker, @gpu-worker and @tunnel (.service), prismata-metric.timer and prismata-leave.timer."
  }
}

variable "packages" {
  description = "Packages of the system to install first."
  type        = list(string)
  default     = ["docker"]
}
