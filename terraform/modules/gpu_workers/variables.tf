variable "name" {
  description = "What everything here is called; also the dimension under which open jobs are told."
  type        = string
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "subnet_ids" {
  description = "Where machines may start; more zones find more spot capacity."
  type        = list(string)
}

variable "public_addresses" {
  description = "Whether machines need a public address to reach the internet; they are reached by nobody all the same."
  type        = bool
}

variable "worker_image" {
  description = "Image of the Dockerfile's target worker-gpu, with its tag."
  type        = string

  validation {
    condition     = can(regex("^[^/]+/.+:[^:/]+$", var.worker_image)) && !endswith(var.worker_image, ":latest")
    error_message = "Name registry, repository and a tag that is not latest."
  }
}

variable "repository_arns" {
  description = "Registries that the image is pulled from."
  type        = list(string)
}

variable "settings" {
  description = "PRISMATA_* settings of the worker that are no secret."
  type        = map(string)
}

variable "secret_parameter_arns" {
  description = "PRISMATA_* settings that are secret, as name → ARN of an SSM parameter."
  type        = map(string)
}

variable "database_ca_url" {
  description = "Where the certificate of the database's authority is fetched."
  type        = string
}

variable "policies" {
  description = "What the worker may do, as name → policy in JSON."
  type        = map(string)
}

variable "metric_namespace" {
  description = "CloudWatch namespace in which the app tells the number of open GPU jobs."
  type        = string
}

variable "instance_types" {
  description = "Kinds of machines that will do, x86-64 with one NVIDIA GPU each; the more there are, the more often one can be had."
  type        = list(string)
  default     = ["g4dn.xlarge", "g4dn.2xlarge", "g5.xlarge", "g6.xlarge"]

  validation {
    condition     = length(var.instance_types) > 0 && alltrue([for type in var.instance_types : can(regex("^(g4dn|g5|g6|g6e)\\.", type))])
    error_message = "Use machines of the families g4dn, g5, g6 and g6e."
  }
}

variable "max_machines" {
  description = "How many machines there are at most."
  type        = number
  default     = 2

  validation {
    condition     = var.max_machines >= 1 && var.max_machines <= 20
    error_message = "Use 1 to 20 machines."
  }
}

variable "on_demand_percentage" {
  description = "Share of machines that are not spot: 0 = all are, 100 = none is."
  type        = number
  default     = 0

  validation {
    condition     = var.on_demand_percentage >= 0 && var.on_demand_percentage <= 100
    error_message = "Use 0 to 100 per cent."
  }
}

variable "jobs_per_machine" {
  description = "Open jobs for each machine before another one starts."
  type        = number
  default     = 1

  validation {
    condition     = var.jobs_per_machine >= 1
    error_message = "A machine trains one model at a time, so use at least 1."
  }
}

variable "idle_seconds" {
  description = "After how long without a job a machine leaves."
  type        = number
  default     = 600

  validation {
    condition     = var.idle_seconds >= 120
    error_message = "Wait at least 120 seconds: jobs that are tried again after a pause would find nobody."
  }
}

variable "root_gb" {
  description = "Size of a machine's volume in gigabytes: driver, image, copies of videos and frames of a training."
  type        = number
  default     = 125

  validation {
    condition     = var.root_gb >= 80
    error_message = "The system with its driver and the image take 80 GB."
  }
}

variable "log_days" {
  description = "How long logs are kept."
  type        = number
  default     = 30
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
