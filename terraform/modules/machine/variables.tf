variable "name" {
  description = "What the machine and its log are called, for example `prismata-team-app`."
  type        = string
}

variable "vpc_id" {
  description = "The network it stands in."
  type        = string
}

variable "repository_arns" {
  description = "Registries that it pulls images from."
  type        = list(string)

  validation {
    condition     = length(var.repository_arns) > 0
    error_message = "A machine without an image to pull can run nothing."
  }
}

variable "secret_arns" {
  description = "SSM parameters that it may read."
  type        = list(string)
  default     = []
}

variable "policies" {
  description = "What its program may do, as name → policy in JSON."
  type        = map(string)
  default     = {}
}

variable "log_days" {
  description = "How long its log is kept."
  type        = number
  default     = 30

  validation {
    condition     = contains([7, 14, 30, 60, 90, 180, 365], var.log_days)
    error_message = "CloudWatch keeps logs for 7, 14, 30, 60, 90, 180 or 365 days, among others."
  }
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
