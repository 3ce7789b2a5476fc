variable "name" {
  description = "What everything here is called, for example `prismata-team`."
  type        = string
}

variable "cidr" {
  description = "Addresses of the network; a /16 to /24, so that sixteen subnets fit."
  type        = string
  default     = "10.40.0.0/16"

  validation {
    condition     = can(cidrsubnet(var.cidr, 4, 15)) && tonumber(split("/", var.cidr)[1]) <= 24
    error_message = "Write addresses like 10.40.0.0/16, with a prefix of at most 24 bits."
  }
}

variable "zone_count" {
  description = "Availability zones to use; a load balancer and a database want two."
  type        = number
  default     = 2

  validation {
    condition     = var.zone_count >= 2 && var.zone_count <= 6 && floor(var.zone_count) == var.zone_count
    error_message = "Use 2 to 6 availability zones."
  }
}

variable "nat_gateway" {
  description = "Whether machines stand in private subnets and leave through a NAT gateway, for about 33 dollars a month."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
