variable "name" {
  description = "What everything is called. Two environments in one account have two names."
  type        = string
  default     = "prismata-minimal"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,24}$", var.name))
    error_message = "Use 2 to 25 lower-case letters, digits and hyphens."
  }
}

variable "region" {
  description = "Where everything stands."
  type        = string
  default     = "us-east-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "Write a region like us-east-1."
  }
}

variable "image_tag" {
  description = "Tag of the images to run, for example the version of the program."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", var.image_tag)) && var.image_tag != "latest"
    error_message = "Use a tag that says which version it is, not latest."
  }
}

variable "emails" {
  description = "Who is told of alarms and costs."
  type        = list(string)
}

variable "monthly_dollars" {
  description = "What a month may cost before somebody is told."
  type        = number
  default     = 50
}

variable "instance_type" {
  description = "Kind of machine."
  type        = string
  default     = "t3.small"
}

variable "data_gb" {
  description = "Size of the volume with catalog and caches in gigabytes."
  type        = number
  default     = 30
}

variable "browser_origins" {
  description = "Addresses under which people open the workbench; with a tunnel, its address."
  type        = list(string)
  default     = ["http://localhost:8501", "http://127.0.0.1:8501"]
}

variable "tunnel_token_parameter" {
  description = "Name of the SSM parameter with the token of a named Cloudflare tunnel, for example `/prismata-minimal/tunnel-token`; empty = no tunnel. Make the access rules of its address before the tunnel."
  type        = string
  default     = ""

  validation {
    condition     = var.tunnel_token_parameter == "" || startswith(var.tunnel_token_parameter, "/")
    error_message = "Names of parameters begin with a slash."
  }
}
