variable "name" {
  description = "What the bucket's name begins with; AWS adds letters that make it unique."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,30}$", var.name))
    error_message = "Use 2 to 31 lower-case letters, digits and hyphens."
  }
}

variable "browser_origins" {
  description = "Addresses under which people open the workbench, for example `https://prismata.example.org`."
  type        = list(string)

  validation {
    condition     = length(var.browser_origins) > 0 && alltrue([for origin in var.browser_origins : can(regex("^https?://[^/*]+$", origin))])
    error_message = "Write scheme and host without a path or an asterisk, for example https://prismata.example.org."
  }
}

variable "kept_version_days" {
  description = "How long a version that was replaced or removed can be brought back."
  type        = number
  default     = 30

  validation {
    condition     = var.kept_version_days >= 1
    error_message = "Keep replaced versions for at least a day."
  }
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
