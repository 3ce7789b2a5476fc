# One small machine with the workbench and a worker beside it. Videos are in S3, the catalog is a SQLite file on a
# volume with daily snapshots. Nothing listens to the internet: people come by port forwarding, or through a tunnel that
# asks who they are.

locals {
  tags = {
    Project     = "prismata"
    Environment = var.name
    ManagedBy   = "terraform"
  }

  settings = {
    PRISMATA_STORAGE_BACKEND  = "s3"
    PRISMATA_S3_BUCKET        = module.storage.bucket
    PRISMATA_S3_REGION        = var.region
    PRISMATA_DISPATCHER       = "none" # the worker beside the workbench takes the jobs
    PRISMATA_CACHE_MAX_GB     = "10"
    PRISMATA_FEATURE_CACHE_GB = "3"
    PRISMATA_LOG_LEVEL        = "INFO"
  }
}

data "aws_caller_identity" "me" {}

data "aws_partition" "here" {}

module "network" {
  source = "../../modules/network"

  name = var.name
  tags = local.tags
}

module "registry" {
  source = "../../modules/registry"

  name   = var.name
  images = ["app", "worker-cpu"]
  tags   = local.tags
}

module "storage" {
  source = "../../modules/storage"

  name            = var.name
  browser_origins = var.browser_origins
  tags            = local.tags
}

module "app" {
  source = "../../modules/app"

  name            = var.name
  vpc_id          = module.network.vpc_id
  subnet_id       = module.network.machine_subnet_ids[0]
  public_address  = module.network.machines_have_public_addresses
  instance_type   = var.instance_type
  app_image       = "${module.registry.repository_urls["app"]}:${var.image_tag}"
  worker_image    = "${module.registry.repository_urls["worker-cpu"]}:${var.image_tag}"
  repository_arns = values(module.registry.repository_arns)
  settings        = local.settings
  policies        = { storage = module.storage.use_policy_json }
  data_gb         = var.data_gb

  tunnel_token_parameter_arn = var.tunnel_token_parameter == "" ? "" : "arn:${data.aws_partition.here.partition}:ssm:${var.region}:${data.aws_caller_identity.me.account_id}:parameter${var.tunnel_token_parameter}"

  detailed_monitoring = false
  tags                = local.tags
}

module "monitoring" {
  source = "../../modules/monitoring"

  name        = var.name
  emails      = var.emails
  instance_id = module.app.instance_id
  tags        = local.tags
}

module "budget" {
  source = "../../modules/budget"

  name            = var.name
  monthly_dollars = var.monthly_dollars
  emails          = var.emails
  tags            = local.tags
}
