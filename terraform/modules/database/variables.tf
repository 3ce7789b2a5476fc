variable "name" {
  description = "What everything here is called."
  type        = string
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets in at least two availability zones."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "RDS wants subnets in at least 2 availability zones."
  }
}

variable "client_security_group_ids" {
  description = "Who may connect, as name → security group."
  type        = map(string)
}

variable "engine_version" {
  description = "Version of PostgreSQL: the major one, minor ones follow by themselves."
  type        = string
  default     = "17"

  validation {
    condition     = can(regex("^1[5-9](\\.[0-9]+)?$", var.engine_version))
    error_message = "Use PostgreSQL 15 or newer."
  }
}

variable "instance_class" {
  description = "Kind of machine."
  type        = string
  default     = "db.t4g.micro"

  validation {
    condition     = startswith(var.instance_class, "db.")
    error_message = "Classes of RDS begin with db., for example db.t4g.micro."
  }
}

variable "storage_gb" {
  description = "Storage at the start in gigabytes."
  type        = number
  default     = 20

  validation {
    condition     = var.storage_gb >= 20
    error_message = "RDS wants at least 20 GB."
  }
}

variable "max_storage_gb" {
  description = "Up to where storage grows by itself."
  type        = number
  default     = 100
}

variable "multi_az" {
  description = "Whether a second machine stands ready in another zone, for twice the price."
  type        = bool
  default     = true
}

variable "backup_days" {
  description = "For how many days back the database can be restored to any second."
  type        = number
  default     = 14

  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35
    error_message = "RDS keeps backups for 1 to 35 days; 0 would switch them off."
  }
}

variable "deletion_protection" {
  description = "Whether the database refuses to be deleted."
  type        = bool
  default     = true
}

variable "secret_version" {
  description = "One more than before makes and stores a new password."
  type        = number
  default     = 1
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
