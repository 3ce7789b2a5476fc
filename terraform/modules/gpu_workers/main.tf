# Machines with a GPU that come when trainings wait and go when they have been idle.
#
# 0 → 1   an alarm, as soon as a job waits and there is no machine: a ratio of jobs to machines says nothing at zero
# 1 → N   target tracking on open jobs per machine
# N → 0   each machine leaves by itself (`prismata worker --idle`, then prismata-leave). Nothing else takes one away: they
#         are protected from scale-in, and neither policy scales in. So none ends while it holds a job, unless AWS takes a
#         spot machine back; then the worker saves the training, gives the job back, and another machine goes on.

module "machine" {
  source = "../machine"

  name            = "${var.name}-gpu"
  vpc_id          = var.vpc_id
  repository_arns = var.repository_arns
  secret_arns     = values(var.secret_parameter_arns)
  policies        = merge(var.policies, { leave = data.aws_iam_policy_document.leave.json })
  log_days        = var.log_days
  tags            = var.tags
}

module "config" {
  source = "../machine_config"

  machine = {
    AWS_REGION      = module.machine.region
    REGISTRY        = split("/", var.worker_image)[0]
    IMAGES          = var.worker_image
    WORKER_IMAGE    = var.worker_image
    LOG_GROUP       = module.machine.log_group_name
    BOOT_ATTEMPTS   = "5" # then it leaves
    DATABASE_CA_URL = var.database_ca_url
    SECRETS         = join(" ", [for name, arn in var.secret_parameter_arns : "${name}=${regex(":parameter(/.*)$", arn)[0]}"])
  }
  settings = merge(var.settings, {
    PRISMATA_SPOT                = "aws"
    PRISMATA_WORKER_IDLE_SECONDS = tostring(var.idle_seconds)
  })
  units    = ["prismata@gpu-worker.service", "prismata-leave.timer"]
  packages = [] # the image has docker and the driver
}

data "aws_ssm_parameter" "image" {
  name = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-amazon-linux-2023/latest/ami-id"
}

data "aws_caller_identity" "me" {}

data "aws_partition" "here" {}

locals {
  group_name = "${var.name}-gpu"
}

data "aws_iam_policy_document" "leave" {
  statement {
    sid       = "LeaveThisGroup"
    actions   = ["autoscaling:TerminateInstanceInAutoScalingGroup"]
    resources = ["arn:${data.aws_partition.here.partition}:autoscaling:${module.machine.region}:${data.aws_caller_identity.me.account_id}:autoScalingGroup:*:autoScalingGroupName/${local.group_name}"]
  }
}

resource "aws_launch_template" "this" {
  #checkov:skip=CKV_AWS_88:A public address is its way out without a NAT gateway; its security group lets nobody in.
  name_prefix            = "${local.group_name}-"
  image_id               = data.aws_ssm_parameter.image.value
  update_default_version = true
  ebs_optimized          = true
  user_data              = module.config.user_data_base64

  iam_instance_profile {
    arn = module.machine.instance_profile_arn
  }

  network_interfaces {
    associate_public_ip_address = var.public_addresses
    security_groups             = [module.machine.security_group_id]
    delete_on_termination       = true
  }

  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = "required"
    #checkov:skip=CKV_AWS_341:Containers are one hop away from the machine, and the worker inside asks for notices and credentials.
    http_put_response_hop_limit = 2
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      volume_size           = var.root_gb
      encrypted             = true
      delete_on_termination = true
    }
  }

  monitoring {
    enabled = true
  }

  tag_specifications {
    resource_type = "instance"
    tags          = merge(var.tags, { Name = local.group_name })
  }

  tag_specifications {
    resource_type = "volume"
    tags          = merge(var.tags, { Name = local.group_name })
  }

  tags = var.tags
}

resource "aws_autoscaling_group" "this" {
  name                = local.group_name
  min_size            = 0
  max_size            = var.max_machines
  desired_capacity    = 0
  vpc_zone_identifier = var.subnet_ids

  capacity_rebalance        = true
  protect_from_scale_in     = true
  suspended_processes       = ["AZRebalance"] # it would end machines that work, to have as many in each zone
  health_check_type         = "EC2"
  health_check_grace_period = 600
  default_instance_warmup   = 300
  wait_for_capacity_timeout = "0"
  enabled_metrics           = ["GroupDesiredCapacity", "GroupInServiceInstances", "GroupMaxSize"]

  mixed_instances_policy {
    instances_distribution {
      on_demand_base_capacity                  = 0
      on_demand_percentage_above_base_capacity = var.on_demand_percentage
      spot_allocation_strategy                 = "price-capacity-optimized"
    }

    launch_template {
      launch_template_specification {
        launch_template_id = aws_launch_template.this.id
        version            = aws_launch_template.this.latest_version
      }

      dynamic "override" {
        for_each = var.instance_types

        content {
          instance_type = override.value
        }
      }
    }
  }

  dynamic "tag" {
    for_each = merge(var.tags, { Name = local.group_name })

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = false # the launch template does
    }
  }

  lifecycle {
    ignore_changes = [desired_capacity]
  }
}

resource "aws_autoscaling_policy" "first" {
  name                   = "${local.group_name}-first"
  autoscaling_group_name = aws_autoscaling_group.this.name
  policy_type            = "StepScaling"
  adjustment_type        = "ExactCapacity"

  step_adjustment {
    scaling_adjustment          = 1
    metric_interval_lower_bound = 0
  }
}

resource "aws_cloudwatch_metric_alarm" "first" {
  alarm_name          = "${local.group_name}-jobs-wait-and-nobody-is-there"
  alarm_description   = "Starts the first machine; its being on is nothing to worry about."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_autoscaling_policy.first.arn]

  metric_query {
    id          = "waits"
    label       = "A job waits and there is no machine"
    expression  = "IF(open_jobs >= 1 AND FILL(machines, 0) < 1, 1, 0)"
    return_data = true
  }

  metric_query {
    id = "open_jobs"

    metric {
      namespace   = var.metric_namespace
      metric_name = "OpenGpuJobs"
      dimensions  = { Environment = var.name }
      stat        = "Maximum"
      period      = 60
    }
  }

  metric_query {
    id = "machines"

    metric {
      namespace   = "AWS/AutoScaling"
      metric_name = "GroupDesiredCapacity"
      dimensions  = { AutoScalingGroupName = aws_autoscaling_group.this.name }
      stat        = "Minimum"
      period      = 60
    }
  }

  tags = var.tags
}

resource "aws_autoscaling_policy" "more" {
  name                   = "${local.group_name}-more"
  autoscaling_group_name = aws_autoscaling_group.this.name
  policy_type            = "TargetTrackingScaling"

  target_tracking_configuration {
    target_value     = var.jobs_per_machine
    disable_scale_in = true

    customized_metric_specification {
      metrics {
        id          = "open_jobs"
        return_data = false

        metric_stat {
          stat = "Maximum"

          metric {
            namespace   = var.metric_namespace
            metric_name = "OpenGpuJobs"

            dimensions {
              name  = "Environment"
              value = var.name
            }
          }
        }
      }

      metrics {
        id          = "machines"
        return_data = false

        metric_stat {
          stat = "Average"

          metric {
            namespace   = "AWS/AutoScaling"
            metric_name = "GroupInServiceInstances"

            dimensions {
              name  = "AutoScalingGroupName"
              value = aws_autoscaling_group.this.name
            }
          }
        }
      }

      metrics {
        id          = "open_jobs_per_machine"
        label       = "Open jobs per machine"
        expression  = "IF(machines > 0, open_jobs / machines, 0)"
        return_data = true
      }
    }
  }
}
