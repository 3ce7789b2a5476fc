variable "name" {
  description = "What everything is called. Two environments in one account have two names."
  type        = string
  default     = "prismata-team"

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
  default     = 200
}

variable "instance_type" {
  description = "Kind of machine."
  type        = string
  default     = "t3.medium"
}

variable "host_name" {
  description = "Address of the workbench, for example `prismata.example.org`."
  type        = string
}

variable "zone_id" {
  description = "Route 53 zone that holds this address."
  type        = string
}

variable "allowed_cidrs" {
  description = "From where people may come to the login page."
  type        = set(string)
  default     = ["0.0.0.0/0"]
}

variable "oidc" {
  description = "The identity provider: an OpenID Connect client whose redirect address is https://HOST_NAME/oauth2/idpresponse. Whoever it lets in may do everything, unless there are `administrators`."
  type = object({
    issuer                 = string
    authorization_endpoint = string
    token_endpoint         = string
    user_info_endpoint     = string
    client_id              = string
  })
}

variable "oidc_client_secret" {
  description = "Secret of that client; give it as TF_VAR_oidc_client_secret."
  type        = string
  sensitive   = true
}

variable "administrators" {
  description = "E-mail addresses of who says what others may do. Some: people sign in to the workbench with the same client and have roles; it needs https://HOST_NAME/oauth2callback as a second redirect address. None: whoever the load balancer lets in may do everything."
  type        = set(string)
  default     = []
}

variable "zone_count" {
  description = "Availability zones to use; more zones find more spot capacity."
  type        = number
  default     = 3
}

variable "nat_gateway" {
  description = "Whether machines have no public address and leave through a NAT gateway, for about 33 dollars a month."
  type        = bool
  default     = false
}

variable "database_class" {
  description = "Kind of database machine."
  type        = string
  default     = "db.t4g.micro"
}

variable "database_multi_az" {
  description = "Whether a second database machine stands ready in another zone, for twice the price."
  type        = bool
  default     = true
}

variable "secret_version" {
  description = "One more than before makes a new password of the database and stores it; the machines read it at their next start."
  type        = number
  default     = 1
}

variable "deletion_protection" {
  description = "Whether database and load balancer refuse to be deleted."
  type        = bool
  default     = true
}

variable "gpu_instance_types" {
  description = "Kinds of GPU machines that will do."
  type        = list(string)
  default     = ["g4dn.xlarge", "g4dn.2xlarge", "g5.xlarge", "g6.xlarge"]
}

variable "gpu_max_machines" {
  description = "How many GPU machines there are at most."
  type        = number
  default     = 2
}

variable "gpu_idle_seconds" {
  description = "After how long without a job a GPU machine leaves."
  type        = number
  default     = 600
}

variable "gpu_on_demand_percentage" {
  description = "Share of GPU machines that are not spot: 0 = all are, 100 = none is."
  type        = number
  default     = 0
}
