variable "name" {
  description = "What everything here is called; a load balancer's name has at most 32 letters."
  type        = string

  validation {
    condition     = length(var.name) <= 32
    error_message = "Use at most 32 letters."
  }
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "subnet_ids" {
  description = "Public subnets in at least two availability zones."
  type        = list(string)
}

variable "app_instance_id" {
  description = "The machine with the workbench."
  type        = string
}

variable "app_security_group_id" {
  description = "Its security group, which gets the one rule that lets something in."
  type        = string
}

variable "host_name" {
  description = "Address of the workbench, for example `prismata.example.org`."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.host_name))
    error_message = "Write a host name like prismata.example.org, without https://."
  }
}

variable "zone_id" {
  description = "Route 53 zone that holds this address."
  type        = string
}

variable "allowed_cidrs" {
  description = "From where people may come to the login page."
  type        = set(string)
  default     = ["0.0.0.0/0"]

  validation {
    condition     = alltrue([for cidr in var.allowed_cidrs : can(cidrhost(cidr, 0))])
    error_message = "Write ranges like 203.0.113.0/24."
  }
}

variable "oidc" {
  description = "The identity provider: an OpenID Connect client whose redirect address is https://HOST_NAME/oauth2/idpresponse."
  type = object({
    issuer                 = string
    authorization_endpoint = string
    token_endpoint         = string
    user_info_endpoint     = string
    client_id              = string
  })

  validation {
    condition     = alltrue([for name in ["issuer", "authorization_endpoint", "token_endpoint", "user_info_endpoint"] : startswith(var.oidc[name], "https://")])
    error_message = "Addresses of an identity provider begin with https://."
  }
}

variable "oidc_client_secret" {
  description = "Secret of that client. The load balancer keeps it in its configuration, so it is in the state file as well."
  type        = string
  sensitive   = true
}

variable "session_hours" {
  description = "After how many hours people log in anew."
  type        = number
  default     = 12

  validation {
    condition     = var.session_hours >= 1 && var.session_hours <= 168
    error_message = "Use 1 to 168 hours."
  }
}

variable "deletion_protection" {
  description = "Whether the load balancer refuses to be deleted."
  type        = bool
  default     = true
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
