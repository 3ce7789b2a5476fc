# Alarms that wake somebody: the machine, the way in, the database, and jobs that nobody takes.

data "aws_caller_identity" "me" {}

data "aws_partition" "here" {}

# CloudWatch may not use the free key of SNS, so encrypted messages need a key of our own.
data "aws_iam_policy_document" "key" {
  #checkov:skip=CKV_AWS_109:A key's policy speaks of this key only; without the first statement nobody could manage it.
  #checkov:skip=CKV_AWS_111:A key's policy speaks of this key only, so nothing else can be written with it.
  #checkov:skip=CKV_AWS_356:In a key's policy * means this key; it cannot name itself.
  statement {
    sid       = "TheAccountManagesIt"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${data.aws_partition.here.partition}:iam::${data.aws_caller_identity.me.account_id}:root"]
    }
  }

  statement {
    sid       = "AlarmsUseIt"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }
  }
}

resource "aws_kms_key" "this" {
  description             = "Alarms of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 7
  policy                  = data.aws_iam_policy_document.key.json

  tags = var.tags
}

resource "aws_sns_topic" "this" {
  name              = "${var.name}-alarms"
  kms_master_key_id = aws_kms_key.this.arn

  tags = var.tags
}

resource "aws_sns_topic_subscription" "email" {
  for_each = toset(var.emails)

  topic_arn = aws_sns_topic.this.arn
  protocol  = "email"
  endpoint  = each.key
}

locals {
  machine_alarms = {
    "machine-is-not-well" = { metric = "StatusCheckFailed", threshold = 1, statistic = "Maximum", minutes = 5, description = "The machine of the workbench fails its checks; restart it, or apply again to replace it." }
    "machine-has-no-credits" = {
      metric      = "CPUSurplusCreditsCharged", threshold = 1, statistic = "Maximum", minutes = 60,
      description = "The machine works more than its kind is made for, and AWS charges for it; take a larger one."
    }
  }
  door_alarms = var.load_balancer == null ? {} : {
    "workbench-does-not-answer" = { metric = "UnHealthyHostCount", threshold = 1, statistic = "Maximum", description = "The workbench does not answer /api/health; look into its log." }
  }
  database_alarms = var.database == null ? {} : {
    "database-has-little-room" = {
      metric      = "FreeStorageSpace", threshold = 4000000000, comparison = "LessThanThreshold",
      description = "Less than 4 GB are free in the database; storage grows by itself up to its maximum."
    }
    "database-is-busy" = {
      metric      = "CPUUtilization", threshold = 90, comparison = "GreaterThanThreshold",
      description = "The database has been busy for a quarter of an hour; take a larger class."
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "machine" {
  for_each = local.machine_alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/EC2"
  metric_name         = each.value.metric
  dimensions          = { InstanceId = var.instance_id }
  statistic           = each.value.statistic
  period              = each.value.minutes * 60
  evaluation_periods  = 2
  threshold           = each.value.threshold
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = each.key == "machine-is-not-well" ? "breaching" : "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]

  tags = var.tags
}

resource "aws_cloudwatch_metric_alarm" "door" {
  for_each = local.door_alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/ApplicationELB"
  metric_name         = each.value.metric
  dimensions          = { LoadBalancer = var.load_balancer.arn_suffix, TargetGroup = var.load_balancer.target_group_arn_suffix }
  statistic           = each.value.statistic
  period              = 60
  evaluation_periods  = 5
  threshold           = each.value.threshold
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]

  tags = var.tags
}

resource "aws_cloudwatch_metric_alarm" "database" {
  for_each = local.database_alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = "AWS/RDS"
  metric_name         = each.value.metric
  dimensions          = { DBInstanceIdentifier = var.database.identifier }
  statistic           = "Average"
  period              = 300
  evaluation_periods  = 3
  threshold           = each.value.threshold
  comparison_operator = each.value.comparison
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]

  tags = var.tags
}

# Without this number no GPU machine would ever come, and nothing else would say so.
resource "aws_cloudwatch_metric_alarm" "silence" {
  count = var.metric_namespace == "" ? 0 : 1

  alarm_name          = "${var.name}-nobody-counts-jobs"
  alarm_description   = "The app has not told for a quarter of an hour how many jobs want a GPU; look into the machine's journal for prismata-metric."
  namespace           = var.metric_namespace
  metric_name         = "OpenGpuJobs"
  dimensions          = { Environment = var.name }
  statistic           = "SampleCount"
  period              = 300
  evaluation_periods  = 3
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]

  tags = var.tags
}

resource "aws_cloudwatch_metric_alarm" "waiting" {
  count = var.autoscaling_group_name == "" ? 0 : 1

  alarm_name          = "${var.name}-jobs-wait-for-a-gpu"
  alarm_description   = "Jobs have waited for half an hour and no GPU machine works: no spot capacity, a limit of the account, or machines that do not start."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = 6
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]

  metric_query {
    id          = "waits"
    label       = "Jobs wait and no machine works"
    expression  = "IF(open_jobs >= 1 AND FILL(machines, 0) < 1, 1, 0)"
    return_data = true
  }

  metric_query {
    id = "open_jobs"

    metric {
      namespace   = var.metric_namespace
      metric_name = "OpenGpuJobs"
      dimensions  = { Environment = var.name }
      stat        = "Minimum"
      period      = 300
    }
  }

  metric_query {
    id = "machines"

    metric {
      namespace   = "AWS/AutoScaling"
      metric_name = "GroupInServiceInstances"
      dimensions  = { AutoScalingGroupName = var.autoscaling_group_name }
      stat        = "Maximum"
      period      = 300
    }
  }

  tags = var.tags
}
