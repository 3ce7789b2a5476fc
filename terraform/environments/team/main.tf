# For a team: a stable address behind a login, PostgreSQL, and GPU machines that come when trainings wait. Detections and
# preparations run on the machine of the workbench, trainings on the GPU machines only.

locals {
  tags = {
    Project     = "prismata"
    Environment = var.name
    ManagedBy   = "terraform"
  }

  metric_namespace = "Prismata"

  # No broker: every worker looks into the catalog twice a second.
  settings = {
    PRISMATA_STORAGE_BACKEND = "s3"
    PRISMATA_S3_BUCKET       = module.storage.bucket
    PRISMATA_S3_REGION       = var.region
    PRISMATA_DISPATCHER      = "none"
    PRISMATA_TRAIN_ON        = "gpu"
    PRISMATA_LOG_LEVEL       = "INFO"
  }

  secret_parameter_arns = {
    PRISMATA_DATABASE_URL = module.secrets.parameter_arns["database-url"]
  }

  has_roles = length(var.administrators) > 0

  app_settings = merge(local.settings, {
    PRISMATA_PUBLIC_URL       = "https://${var.host_name}"
    PRISMATA_WORKER_CPU_SLOTS = "1"
    PRISMATA_WORKER_IO_SLOTS  = "2"
    }, local.has_roles ? {
    PRISMATA_LOGIN             = "oidc"
    PRISMATA_OIDC_METADATA_URL = "${trimsuffix(var.oidc.issuer, "/")}/.well-known/openid-configuration"
    PRISMATA_OIDC_CLIENT_ID    = var.oidc.client_id
    PRISMATA_ADMINS            = join(",", var.administrators)
  } : {})

  app_secret_parameter_arns = merge(local.secret_parameter_arns, local.has_roles ? {
    PRISMATA_OIDC_CLIENT_SECRET = module.secrets.parameter_arns["oidc-client-secret"]
    PRISMATA_LOGIN_SECRET       = module.secrets.parameter_arns["login-secret"]
  } : {})
}

# Signs who is signed in to the workbench; made anew with every new version of the secrets.
ephemeral "random_password" "login" {
  length  = 48
  special = false
}

module "network" {
  source = "../../modules/network"

  name        = var.name
  zone_count  = var.zone_count
  nat_gateway = var.nat_gateway
  tags        = local.tags
}

module "registry" {
  source = "../../modules/registry"

  name   = var.name
  images = ["app", "worker-gpu"]
  tags   = local.tags
}

module "storage" {
  source = "../../modules/storage"

  name            = var.name
  browser_origins = ["https://${var.host_name}"]
  tags            = local.tags
}

module "database" {
  source = "../../modules/database"

  name           = var.name
  vpc_id         = module.network.vpc_id
  subnet_ids     = module.network.private_subnet_ids
  instance_class = var.database_class
  multi_az       = var.database_multi_az
  client_security_group_ids = {
    app = module.app.security_group_id
    gpu = module.gpu_workers.security_group_id
  }
  deletion_protection = var.deletion_protection
  secret_version      = var.secret_version
  tags                = local.tags
}

module "secrets" {
  source = "../../modules/secrets"

  name           = var.name
  names          = concat(["database-url"], local.has_roles ? ["oidc-client-secret", "login-secret"] : [])
  secret_version = var.secret_version
  secret_values = {
    database-url       = module.database.url
    oidc-client-secret = var.oidc_client_secret
    login-secret       = ephemeral.random_password.login.result
  }
  tags = local.tags
}

module "app" {
  source = "../../modules/app"

  name                  = var.name
  vpc_id                = module.network.vpc_id
  subnet_id             = module.network.machine_subnet_ids[0]
  public_address        = module.network.machines_have_public_addresses
  instance_type         = var.instance_type
  app_image             = "${module.registry.repository_urls["app"]}:${var.image_tag}"
  worker_image          = "${module.registry.repository_urls["app"]}:${var.image_tag}"
  repository_arns       = [module.registry.repository_arns["app"]]
  settings              = local.app_settings
  secret_parameter_arns = local.app_secret_parameter_arns
  policies              = { storage = module.storage.use_policy_json }
  listen_on             = "0.0.0.0"
  app_memory            = "1200m"
  worker_memory         = "2200m"
  database_ca_url       = module.database.ca_url
  metric_namespace      = local.metric_namespace
  tags                  = local.tags
}

module "load_balancer" {
  source = "../../modules/load_balancer"

  name                  = var.name
  vpc_id                = module.network.vpc_id
  subnet_ids            = module.network.public_subnet_ids
  app_instance_id       = module.app.instance_id
  app_security_group_id = module.app.security_group_id
  host_name             = var.host_name
  zone_id               = var.zone_id
  allowed_cidrs         = var.allowed_cidrs
  oidc                  = var.oidc
  oidc_client_secret    = var.oidc_client_secret
  deletion_protection   = var.deletion_protection
  tags                  = local.tags
}

module "gpu_workers" {
  source = "../../modules/gpu_workers"

  name                  = var.name
  vpc_id                = module.network.vpc_id
  subnet_ids            = module.network.machine_subnet_ids
  public_addresses      = module.network.machines_have_public_addresses
  worker_image          = "${module.registry.repository_urls["worker-gpu"]}:${var.image_tag}"
  repository_arns       = [module.registry.repository_arns["worker-gpu"]]
  settings              = local.settings
  secret_parameter_arns = local.secret_parameter_arns
  database_ca_url       = module.database.ca_url
  policies              = { storage = module.storage.use_policy_json }
  metric_namespace      = local.metric_namespace
  instance_types        = var.gpu_instance_types
  max_machines          = var.gpu_max_machines
  idle_seconds          = var.gpu_idle_seconds
  on_demand_percentage  = var.gpu_on_demand_percentage
  tags                  = local.tags
}

module "monitoring" {
  source = "../../modules/monitoring"

  name        = var.name
  emails      = var.emails
  instance_id = module.app.instance_id
  load_balancer = {
    arn_suffix              = module.load_balancer.load_balancer_arn_suffix
    target_group_arn_suffix = module.load_balancer.target_group_arn_suffix
  }
  database               = { identifier = module.database.identifier }
  metric_namespace       = local.metric_namespace
  autoscaling_group_name = module.gpu_workers.autoscaling_group_name
  tags                   = local.tags
}

module "budget" {
  source = "../../modules/budget"

  name            = var.name
  monthly_dollars = var.monthly_dollars
  emails          = var.emails
  tags            = local.tags
}
