"""Terraform without an account: it is sound, and what is broken on purpose is noticed."""

import json
import re
from pathlib import Path

import pytest
from pydantic import SecretStr

pytest.importorskip("hcl2", reason="python-hcl2 is not installed")

from outside_tools import run, terraform
from reduce_schema import AWS, reduce, render, used_types
from terraform_rules import findings, settings_in
from terraform_tree import SCHEMA_FILE, Module, code_of, references, schema

from prismata.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
TERRAFORM = ROOT / "terraform"
ENVIRONMENTS = sorted(path for path in (TERRAFORM / "environments").iterdir() if path.is_dir())


def test_everything_is_sound():
    assert findings(TERRAFORM) == []


BREAKS = {
    "a file that is not HCL": (
        "modules/app/main.tf",
        'resource "aws_instance" "this" {',
        'resource "aws_instance" {{',
        "cannot be parsed",
    ),
    "a variable without a type": (
        "modules/app/variables.tf",
        '  description = "The network."\n  type        = string\n',
        '  description = "The network."\n',
        "variable vpc_id has no type",
    ),
    "a variable without a description": (
        "modules/app/variables.tf",
        '  description = "The network."\n',
        "",
        "variable vpc_id has no description",
    ),
    "a variable that is not declared": (
        "modules/app/main.tf",
        "var.instance_type",
        "var.instance_kind",
        "var.instance_kind is not declared",
    ),
    "a variable that nothing uses": (
        "modules/app/main.tf",
        "= var.instance_type",
        '= "t3.small"',
        "variable instance_type is never used",
    ),
    "a local value that is not declared": (
        "environments/team/main.tf",
        "= local.metric_namespace",
        "= local.namespace",
        "local.namespace is not declared",
    ),
    "a resource that is not declared": (
        "modules/app/main.tf",
        "instance_id                    = aws_instance.this.id",
        "instance_id = aws_instance.that.id",
        "aws_instance.that is not declared",
    ),
    "an attribute that does not exist": (
        "modules/database/outputs.tf",
        "aws_db_instance.this.endpoint",
        "aws_db_instance.this.end_point",
        "has no attribute end_point",
    ),
    "an output that does not exist": (
        "environments/team/main.tf",
        "module.database.url",
        "module.database.address",
        "has no output address",
    ),
    "an input that does not exist": (
        "environments/minimal/main.tf",
        "  data_gb         = var.data_gb\n",
        "  data_gb = var.data_gb\n  disk_gb = 3\n",
        "has no input disk_gb",
    ),
    "an input that is missing": (
        "environments/team/main.tf",
        "  zone_id               = var.zone_id\n",
        "",
        "module.load_balancer needs the input zone_id",
    ),
    "an argument that does not exist": (
        "modules/storage/main.tf",
        "  force_destroy = false",
        "  force_destruction = false",
        "has no argument force_destruction",
    ),
    "an argument in a block that does not exist": (
        "modules/gpu_workers/main.tf",
        "spot_allocation_strategy ",
        "spot_strategy ",
        "has no argument spot_strategy",
    ),
    "an argument that is missing": (
        "modules/load_balancer/main.tf",
        "  listener_arn = aws_lb_listener.https.arn\n",
        "",
        "needs the argument listener_arn",
    ),
    "an output without a description": (
        "modules/budget/outputs.tf",
        '  description = "Name of the budget."\n',
        "",
        "output name has no description",
    ),
    "a Terraform without an end": (
        "modules/app/versions.tf",
        ">= 1.11.0, < 2.0.0",
        ">= 1.11.0",
        "no upper end",
    ),
    "a provider that is not pinned": (
        "modules/app/versions.tf",
        "~> 6.25",
        ">= 6.25",
        "provider aws is not pinned",
    ),
    "any action of S3 on everything": (
        "modules/storage/main.tf",
        '"s3:ListBucketMultipartUploads"]\n    resources = [aws_s3_bucket.this.arn]',
        '"s3:*"]\n    resources = ["*"]',
        "allows s3:ListBucket, s3:* on *",
    ),
    "any action at all": (
        "modules/machine/main.tf",
        '["ecr:GetAuthorizationToken"]',
        '["*"]',
        "allows * on *",
    ),
    "the database open to the internet": (
        "modules/database/main.tf",
        "  referenced_security_group_id = each.value\n",
        '  cidr_ipv4 = "0.0.0.0/0"\n',
        "opens ports 5432 to 5432",
    ),
    "SSH open to the internet": (
        "modules/load_balancer/main.tf",
        "  from_port         = 443\n  to_port           = 443\n  cidr_ipv4         = each.key",
        '  from_port         = 22\n  to_port           = 22\n  cidr_ipv6         = "::/0"',
        "opens ports 22 to 22",
    ),
    "all ports open": (
        "modules/load_balancer/main.tf",
        "  from_port         = 443\n  to_port           = 443\n  cidr_ipv4         = each.key",
        "  from_port         = 0\n  to_port           = 65535\n  cidr_ipv4         = each.key",
        "opens ports 0 to 65535",
    ),
    "a disk in the clear": (
        "modules/app/main.tf",
        '  type              = "gp3"\n  encrypted         = true',
        '  type = "gp3"',
        "aws_ebs_volume.data is not encrypted",
    ),
    "a machine's disk in the clear": (
        "modules/gpu_workers/main.tf",
        "encrypted             = true",
        "encrypted             = false",
        "aws_launch_template.this is not encrypted",
    ),
    "a database in the clear": (
        "modules/database/main.tf",
        "storage_encrypted     = true",
        "storage_encrypted     = false",
        "aws_db_instance.this is not encrypted",
    ),
    "a database without TLS": (
        "modules/database/main.tf",
        "rds.force_ssl",
        "log_connections",
        "database can be reached without TLS",
    ),
    "a bucket without TLS": (
        "modules/storage/main.tf",
        "aws:SecureTransport",
        "aws:PrincipalArn",
        "bucket can be read without TLS",
    ),
    "a bucket that may be public": (
        "modules/storage/main.tf",
        "restrict_public_buckets = true",
        "restrict_public_buckets = false",
        "does not block everything",
    ),
    "a bucket that may be destroyed": (
        "modules/storage/main.tf",
        "prevent_destroy = true",
        "prevent_destroy = false",
        "aws_s3_bucket.this may be destroyed",
    ),
    "a secret in the clear": (
        "modules/secrets/main.tf",
        '"SecureString"',
        '"String"',
        "aws_ssm_parameter.this is not encrypted",
    ),
    "a database without backups": (
        "modules/database/main.tf",
        "= var.backup_days",
        "= 0",
        "has no backup_retention_period",
    ),
    "pages without a login": (
        "modules/load_balancer/main.tf",
        '    order = 1\n    type  = "authenticate-oidc"',
        '    order = 3\n    type  = "authenticate-oidc"',
        "aws_lb_listener.https forwards without a login",
    ),
    "strangers let through": (
        "modules/load_balancer/main.tf",
        'on_unauthenticated_request = "deny"',
        'on_unauthenticated_request = "allow"',
        "lets strangers through",
    ),
    "a small machine that everybody reaches": (
        "environments/minimal/main.tf",
        "  data_gb         = var.data_gb\n",
        '  data_gb = var.data_gb\n  listen_on = "0.0.0.0"\n',
        "listens to all without a load balancer",
    ),
    "credentials without a token": (
        "modules/app/main.tf",
        'http_tokens   = "required"',
        'http_tokens   = "optional"',
        "answers without a token",
    ),
    "no tags": (
        "modules/secrets/main.tf",
        "  tags = var.tags\n",
        "",
        "aws_ssm_parameter.this has no tags",
    ),
    "a bucket to which no browser can send": (
        "modules/storage/main.tf",
        '["GET", "HEAD", "PUT"]',
        '["GET", "HEAD"]',
        "cors_configuration.this has no PUT in allowed_methods",
    ),
    "a bucket for the pages of everybody": (
        "modules/storage/main.tf",
        "= var.browser_origins",
        '= ["*"]',
        "lets the pages of everybody in",
    ),
    "a setting that does not exist": (
        "environments/team/main.tf",
        "PRISMATA_TRAIN_ON ",
        "PRISMATA_TRAINS_ON ",
        "there is no setting PRISMATA_TRAINS_ON",
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_what_is_broken_is_noticed(name):
    file, old, new, expected = BREAKS[name]
    text = (TERRAFORM / file).read_text("utf-8")
    assert old in text, "this break looks in the wrong place"
    found = findings(TERRAFORM, {TERRAFORM / file: text.replace(old, new, 1)})
    assert any(expected in sentence for sentence in found), found


ACTIONS = {
    "get_object": "s3:GetObject",
    "head_object": "s3:GetObject",
    "put_object": "s3:PutObject",
    "copy_object": "s3:PutObject",
    "create_multipart_upload": "s3:PutObject",
    "upload_part": "s3:PutObject",
    "upload_part_copy": "s3:PutObject",
    "complete_multipart_upload": "s3:PutObject",
    "delete_object": "s3:DeleteObject",
    "abort_multipart_upload": "s3:AbortMultipartUpload",
    "list_parts": "s3:ListMultipartUploadParts",
    "list_objects_v2": "s3:ListBucket",
    "head_bucket": "s3:ListBucket",
    "list_multipart_uploads": "s3:ListBucketMultipartUploads",
}
"""What S3 asks a permission for, by the call of its SDK."""


def test_the_program_may_do_what_it_asks_of_the_store_and_no_more():
    text = "".join(path.read_text("utf-8") for path in (ROOT / "src/prismata/storage").glob("*.py"))
    calls = set(re.findall(r"client\.([a-z_0-9]+)\(", text))
    calls |= set(re.findall(r'(?:get_paginator|generate_presigned_url)\(\s*"([a-z_0-9]+)"', text))
    asked = {ACTIONS[call] for call in calls - {"get_paginator", "generate_presigned_url"}}
    storage = Module.read(TERRAFORM / "modules/storage")
    policy = next(item for item in storage.items if item.name == "use")
    allowed = {action for statement in policy.body["statement"] for action in statement["actions"]}
    assert allowed == asked


def test_code_is_told_from_text():
    code = code_of('a var.x ${f("var.y ${var.z}", {a = 1})} $${var.n}')
    assert code.replace(" ", "") == 'f("var.z",{a=1})'
    found = list(references({"a": '${[for v in var.list : "${v.id}-${data.aws_x.y[0].arn}"]}'}))
    assert ("var", "list", "") in found
    assert ("data.aws_x", "y", "[0].arn") in found


@pytest.mark.parametrize("folder", ENVIRONMENTS, ids=lambda path: path.name)
def test_an_environment_sets_settings_that_the_program_takes(folder):
    given = dict(settings_in(Module.read(folder).files))
    assert given["PRISMATA_STORAGE_BACKEND"] == "s3"
    values = {
        name.removeprefix("PRISMATA_").lower(): "filled-in" if "${" in str(value) else value
        for name, value in given.items()
        if value is not None  # inside of an expression
    }
    settings = Settings(**values)
    assert settings.dispatcher == "none"
    assert isinstance(settings.database_url, SecretStr)


@pytest.mark.parametrize("folder", ENVIRONMENTS, ids=lambda path: path.name)
def test_an_environment_says_what_it_costs_and_how_to_keep_it(folder):
    page = (folder / "README.md").read_text("utf-8")
    for heading in ("What it costs", "Apply", "Upgrade", "Back up and restore", "Tear down"):
        assert f"\n## {heading}\n" in page
    example = (folder / "terraform.tfvars.example").read_text("utf-8")
    for name in Module.read(folder).required_inputs:
        assert name in example or f"TF_VAR_{name}" in page


@pytest.mark.infrastructure
def test_files_are_formatted_as_terraform_does_it(tmp_path):
    command = [*terraform(), "fmt", "-check", "-recursive", "-diff"]
    done = run([*command, str(TERRAFORM)], ROOT)
    assert done.returncode == 0, done.stdout
    (tmp_path / "untidy.tf").write_text("locals {\n  a = 1\n  long_name = 2\n}\n")
    assert run([*command, str(tmp_path)], ROOT).returncode == 3


def test_the_schema_knows_what_is_used_and_nothing_else():
    text = SCHEMA_FILE.read_text("utf-8")
    assert set(schema()) == used_types()
    version = json.loads(text)["provider"].rpartition(" ")[2]
    assert render(schema(), version) == text
    pinned = next(iter(Module.read(TERRAFORM / "modules/app").blocks("terraform")))
    floor = pinned["required_providers"][0]["aws"]["version"].removeprefix("~> ")
    assert version.startswith(f"{floor}."), "the schema is of another version than the lowest"


def test_a_schema_is_reduced_to_names():
    block = {
        "attributes": {
            "id": {"type": "string", "computed": True, "optional": True},
            "name": {"type": "string", "required": True},
            "arn": {"type": "string", "computed": True},
        },
        "block_types": {"rule": {"nesting_mode": "list", "min_items": 1, "block": {}}},
    }
    told = {"provider_schemas": {AWS: {"data_source_schemas": {"aws_x": {"block": block}}}}}
    assert reduce(told, {"data.aws_x"}) == {
        "data.aws_x": {
            "arguments": {"id": False, "name": True, "rule": {"required": True, "block": {}}},
            "attributes": ["arn", "id"],
        }
    }
