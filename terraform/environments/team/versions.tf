terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  # Which bucket is said by `terraform init -backend-config=backend.hcl`; see backend.hcl.example.
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.25"
    }
    random = {
      source  = "hashicorp/random"
      version = "~> 3.7"
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = local.tags
  }
}
