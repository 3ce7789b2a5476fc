variable "name" {
  description = "Name of the budget."
  type        = string
}

variable "monthly_dollars" {
  description = "What a month may cost. All of the account counts, because tags of costs have to be switched on by hand first."
  type        = number

  validation {
    condition     = var.monthly_dollars > 0
    error_message = "A budget is more than 0 dollars."
  }
}

variable "emails" {
  description = "Who is told."
  type        = list(string)

  validation {
    condition     = length(var.emails) > 0 && alltrue([for email in var.emails : can(regex("^[^@ ]+@[^@ ]+$", email))])
    error_message = "Name at least one e-mail address."
  }
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
