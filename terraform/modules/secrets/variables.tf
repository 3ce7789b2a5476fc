variable "name" {
  description = "What the names of parameters begin with."
  type        = string
}

variable "names" {
  description = "Names of the parameters."
  type        = set(string)
}

variable "secret_values" {
  description = "Name → value."
  type        = map(string)
  sensitive   = true
  ephemeral   = true
}

variable "secret_version" {
  description = "One more than before writes the values anew."
  type        = number
  default     = 1

  validation {
    condition     = var.secret_version >= 1 && floor(var.secret_version) == var.secret_version
    error_message = "Versions count 1, 2, 3."
  }
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
