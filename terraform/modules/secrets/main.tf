# Secrets as encrypted parameters. Their values are write-only: they pass through Terraform and are in no state file.

resource "aws_ssm_parameter" "this" {
  #checkov:skip=CKV_AWS_337:Encrypted with the account's SSM key; a key of our own costs a dollar a month and hides nothing more.
  for_each = var.names

  name             = "/${var.name}/${each.key}"
  type             = "SecureString"
  value_wo         = var.secret_values[each.key]
  value_wo_version = var.secret_version

  tags = var.tags
}
