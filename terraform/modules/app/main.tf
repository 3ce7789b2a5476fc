# The machine with the workbench and a worker beside it, from images of the registry.

module "machine" {
  source = "../machine"

  name            = "${var.name}-app"
  vpc_id          = var.vpc_id
  repository_arns = var.repository_arns
  secret_arns     = concat(values(var.secret_parameter_arns), values(local.tunnel_secrets))
  policies        = merge(var.policies, var.metric_namespace == "" ? {} : { metric = data.aws_iam_policy_document.metric.json })
  log_days        = var.log_days
  tags            = var.tags
}

module "config" {
  source = "../machine_config"

  machine = merge(
    {
      AWS_REGION      = module.machine.region
      REGISTRY        = split("/", var.app_image)[0]
      IMAGES          = join(" ", distinct(concat([var.app_image, var.worker_image], local.tunnel_images)))
      APP_IMAGE       = var.app_image
      WORKER_IMAGE    = var.worker_image
      TUNNEL_IMAGE    = var.tunnel_image
      APP_MEMORY      = var.app_memory
      WORKER_MEMORY   = var.worker_memory
      PUBLISH         = var.listen_on
      LOG_GROUP       = module.machine.log_group_name
      SWAP_GB         = tostring(var.swap_gb)
      DATA_VOLUME     = aws_ebs_volume.data.id
      DATABASE_CA_URL = var.database_ca_url
      SECRETS         = join(" ", [for name, arn in var.secret_parameter_arns : "${name}=${local.parameter_names[arn]}"])
      TUNNEL_SECRETS  = join(" ", [for name, arn in local.tunnel_secrets : "${name}=${local.parameter_names[arn]}"])
    },
    var.metric_namespace == "" ? {} : { METRIC_NAMESPACE = var.metric_namespace, ENVIRONMENT = var.name },
  )
  settings = var.settings
  units = concat(
    ["prismata@app.service", "prismata@worker.service"],
    var.tunnel_token_parameter_arn == "" ? [] : ["prismata@tunnel.service"],
    var.metric_namespace == "" ? [] : ["prismata-metric.timer"],
  )
}

locals {
  tunnel_secrets  = var.tunnel_token_parameter_arn == "" ? {} : { TUNNEL_TOKEN = var.tunnel_token_parameter_arn }
  tunnel_images   = var.tunnel_token_parameter_arn == "" ? [] : [var.tunnel_image]
  parameter_names = { for arn in concat(values(var.secret_parameter_arns), values(local.tunnel_secrets)) : arn => regex(":parameter(/.*)$", arn)[0] }
}

data "aws_ssm_parameter" "image" {
  name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
}

data "aws_subnet" "this" {
  id = var.subnet_id
}

data "aws_iam_policy_document" "metric" {
  #checkov:skip=CKV_AWS_356:PutMetricData knows no resource; the condition narrows it to one namespace.
  statement {
    sid       = "TellHowManyJobsThereAre"
    actions   = ["cloudwatch:PutMetricData"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = [var.metric_namespace]
    }
  }
}

# Apart from the machine, so that an upgrade may replace the machine and keep the catalog.
resource "aws_ebs_volume" "data" {
  #checkov:skip=CKV_AWS_189:Encrypted with the account's EBS key; a key of our own costs a dollar a month and hides nothing more.
  availability_zone = data.aws_subnet.this.availability_zone
  size              = var.data_gb
  type              = "gp3"
  encrypted         = true

  tags = merge(var.tags, { Name = "${var.name}-data", Snapshot = "${var.name}-data" })

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_volume_attachment" "data" {
  device_name                    = "/dev/sdf"
  volume_id                      = aws_ebs_volume.data.id
  instance_id                    = aws_instance.this.id
  stop_instance_before_detaching = true
}

resource "aws_instance" "this" {
  #checkov:skip=CKV_AWS_126:Looking every minute costs 2 dollars a month; it is on in the team environment.
  #checkov:skip=CKV_AWS_88:A public address is its way out without a NAT gateway; its security group lets nobody in.
  #checkov:skip=CKV2_AWS_41:The role comes through the module machine, which this check does not follow.
  ami                         = data.aws_ssm_parameter.image.value
  instance_type               = var.instance_type
  subnet_id                   = var.subnet_id
  associate_public_ip_address = var.public_address
  vpc_security_group_ids      = [module.machine.security_group_id]
  iam_instance_profile        = module.machine.instance_profile_name
  user_data_base64            = module.config.user_data_base64
  user_data_replace_on_change = true
  ebs_optimized               = true
  monitoring                  = var.detailed_monitoring

  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = "required"
    # Containers are one hop away from the machine, and the SDK inside asks for the role's credentials.
    http_put_response_hop_limit = 2
  }

  root_block_device {
    volume_type = "gp3"
    volume_size = var.root_gb
    encrypted   = true
  }

  tags = merge(var.tags, { Name = "${var.name}-app" })

  lifecycle {
    ignore_changes = [ami] # a newer image of the system comes with the next upgrade, not by surprise
  }
}

data "aws_iam_policy_document" "snapshots_assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["dlm.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "snapshots" {
  name_prefix        = "${var.name}-snapshots-"
  assume_role_policy = data.aws_iam_policy_document.snapshots_assume.json

  tags = var.tags
}

resource "aws_iam_role_policy_attachment" "snapshots" {
  role       = aws_iam_role.snapshots.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSDataLifecycleManagerServiceRole"
}

resource "aws_dlm_lifecycle_policy" "data" {
  description        = "Snapshots of the data of ${var.name}"
  execution_role_arn = aws_iam_role.snapshots.arn
  state              = "ENABLED"

  policy_details {
    resource_types = ["VOLUME"]
    target_tags    = { Snapshot = "${var.name}-data" }

    schedule {
      name      = "daily"
      copy_tags = true

      create_rule {
        interval      = 24
        interval_unit = "HOURS"
        times         = ["02:30"]
      }

      retain_rule {
        count = var.kept_snapshots
      }
    }
  }

  tags = var.tags
}

resource "aws_vpc_security_group_egress_rule" "tunnel" {
  for_each = var.tunnel_token_parameter_arn == "" ? toset([]) : toset(["tcp", "udp"])

  security_group_id = module.machine.security_group_id
  description       = "The tunnel's own port (${each.key})."
  ip_protocol       = each.key
  from_port         = 7844
  to_port           = 7844
  cidr_ipv4         = "0.0.0.0/0"

  tags = var.tags
}
