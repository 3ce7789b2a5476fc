variable "name" {
  description = "What everything here is called; also the dimension under which open jobs are told."
  type        = string
}

variable "emails" {
  description = "Who is told; each gets a message to confirm first."
  type        = list(string)

  validation {
    condition     = length(var.emails) > 0
    error_message = "Name at least one e-mail address."
  }
}

variable "instance_id" {
  description = "The machine with the workbench."
  type        = string
}

variable "load_balancer" {
  description = "Names of load balancer and target group in CloudWatch; null = there is none."
  type = object({
    arn_suffix              = string
    target_group_arn_suffix = string
  })
  default = null
}

variable "database" {
  description = "Name of the database in RDS; null = there is none."
  type = object({
    identifier = string
  })
  default = null
}

variable "metric_namespace" {
  description = "CloudWatch namespace in which the app tells the number of open GPU jobs; empty = it does not."
  type        = string
  default     = ""
}

variable "autoscaling_group_name" {
  description = "Group of the GPU machines; empty = there is none."
  type        = string
  default     = ""
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
