variable "name" {
  description = "What repositories begin with."
  type        = string
}

variable "images" {
  description = "Targets of the Dockerfile that have a repository."
  type        = set(string)

  validation {
    condition     = length(setsubtract(var.images, ["app", "worker-cpu", "worker-gpu"])) == 0
    error_message = "The Dockerfile has the targets app, worker-cpu and worker-gpu."
  }
}

variable "kept_images" {
  description = "How many images of each repository are kept."
  type        = number
  default     = 5

  validation {
    condition     = var.kept_images >= 2
    error_message = "Keep at least 2 images: the one that runs and one to go back to."
  }
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
