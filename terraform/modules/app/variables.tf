variable "name" {
  description = "What everything here is called, for example `prismata-team`."
  type        = string
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "subnet_id" {
  description = "Where the machine stands; its data volume stays in the same availability zone."
  type        = string
}

variable "public_address" {
  description = "Whether it needs a public address to reach the internet; it is reached by nobody all the same."
  type        = bool
}

variable "instance_type" {
  description = "Kind of machine, with an x86-64 processor and at least 2 GB of memory."
  type        = string
  default     = "t3.small"

  validation {
    condition     = !can(regex("^(t4g|[a-z]+[0-9]+g[a-z]*)\\.", var.instance_type)) && !can(regex("\\.(nano|micro)$", var.instance_type))
    error_message = "The images are made for x86-64, and less than 2 GB of memory is too little."
  }
}

variable "app_image" {
  description = "Image of the Dockerfile's target app, with its tag."
  type        = string

  validation {
    condition     = can(regex("^[^/]+/.+:[^:/]+$", var.app_image)) && !endswith(var.app_image, ":latest")
    error_message = "Name registry, repository and a tag that is not latest."
  }
}

variable "worker_image" {
  description = "Image of the worker beside it: app where no training runs here, else worker-cpu."
  type        = string

  validation {
    condition     = can(regex("^[^/]+/.+:[^:/]+$", var.worker_image)) && !endswith(var.worker_image, ":latest")
    error_message = "Name registry, repository and a tag that is not latest."
  }
}

variable "repository_arns" {
  description = "Registries that the images are pulled from."
  type        = list(string)
}

variable "settings" {
  description = "PRISMATA_* settings of the workbench and its worker that are no secret."
  type        = map(string)
}

variable "secret_parameter_arns" {
  description = "PRISMATA_* settings that are secret, as name → ARN of an SSM parameter."
  type        = map(string)
  default     = {}
}

variable "policies" {
  description = "What the program may do, as name → policy in JSON."
  type        = map(string)
}

variable "listen_on" {
  description = "Address of the machine at which the workbench is published. It has no login, so 0.0.0.0 is for a security group that lets in nobody but a load balancer with one."
  type        = string
  default     = "127.0.0.1"

  validation {
    condition     = contains(["127.0.0.1", "0.0.0.0"], var.listen_on)
    error_message = "127.0.0.1 for a tunnel or port forwarding, 0.0.0.0 behind a load balancer."
  }
}

variable "app_memory" {
  description = "Memory limit of the workbench, as docker takes it."
  type        = string
  default     = "768m"
}

variable "worker_memory" {
  description = "Memory limit of the worker and its children, as docker takes it."
  type        = string
  default     = "1400m"
}

variable "swap_gb" {
  description = "Swap in gigabytes, for the moments in which a small machine is short of memory; 0 = none."
  type        = number
  default     = 4

  validation {
    condition     = var.swap_gb >= 0 && var.swap_gb <= 32
    error_message = "Use 0 to 32 GB of swap."
  }
}

variable "root_gb" {
  description = "Size of the system's volume in gigabytes: system, swap and images."
  type        = number
  default     = 24

  validation {
    condition     = var.root_gb >= 16
    error_message = "The system, its swap and the images take at least 16 GB."
  }
}

variable "data_gb" {
  description = "Size of the data volume in gigabytes: catalog, uploads on their way, caches."
  type        = number
  default     = 30

  validation {
    condition     = var.data_gb >= 10
    error_message = "Uploads and caches take at least 10 GB."
  }
}

variable "kept_snapshots" {
  description = "How many daily snapshots of the data volume are kept."
  type        = number
  default     = 7

  validation {
    condition     = var.kept_snapshots >= 1
    error_message = "Keep at least 1 snapshot."
  }
}

variable "database_ca_url" {
  description = "Where the certificate of the database's authority is fetched; empty = there is no database server."
  type        = string
  default     = ""
}

variable "metric_namespace" {
  description = "CloudWatch namespace in which the number of open GPU jobs is told every minute; empty = it is not told."
  type        = string
  default     = ""
}

variable "tunnel_token_parameter_arn" {
  description = "ARN of the SSM parameter with the token of a named Cloudflare tunnel; empty = no tunnel."
  type        = string
  default     = ""
}

variable "tunnel_image" {
  description = "Image of the tunnel's client, with its tag."
  type        = string
  default     = "cloudflare/cloudflared:2025.8.1"
}

variable "detailed_monitoring" {
  description = "Whether CloudWatch looks every minute, for about 2 dollars a month, instead of every five."
  type        = bool
  default     = true
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
