"""checkov finds nothing unexplained, and what is broken on purpose is found."""

import shutil
from pathlib import Path

import pytest
from checkov_report import ask, findings
from outside_tools import ROOT, tool

pytestmark = pytest.mark.infrastructure

ASIDE = shutil.ignore_patterns(".terraform*", "*.tfstate*")


@pytest.fixture
def project(tmp_path):
    """A copy of what checkov reads, without what else lies in the project's folder."""
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "terraform", folder / "terraform", ignore=ASIDE)
    shutil.copytree(ROOT / ".github", folder / ".github")
    shutil.copyfile(ROOT / "Dockerfile", folder / "Dockerfile")
    return folder


def test_nothing_is_unexplained(project):
    reports = ask(tool("checkov"), project)
    assert findings(reports, project) == []
    passed = {report["check_type"]: report["summary"]["passed"] for report in reports}
    assert passed["terraform"] > 200
    assert passed["dockerfile"] > 50


BREAKS = {
    "terraform/modules/database/main.tf": (
        ("storage_encrypted     = true", "storage_encrypted     = false"),
        "aws_db_instance.this fails CKV_AWS_16",
    ),
    "terraform/modules/load_balancer/main.tf": (
        ("from_port         = 443\n  to_port           = 443", "from_port = 22\n  to_port = 22"),
        'aws_vpc_security_group_ingress_rule.https["0.0.0.0/0"] fails CKV_AWS_24',
    ),
    "terraform/modules/machine/main.tf": (
        ('["ecr:GetAuthorizationToken"]', '["*"]'),
        "aws_iam_policy_document.start fails CKV_AWS_",
    ),
    "terraform/modules/secrets/main.tf": (
        ('resource "aws_ssm_parameter" "this" {', 'resource "aws_ssm_parameter" {{'),
        "secrets/main.tf cannot be parsed",
    ),
    "terraform/modules/storage/main.tf": (
        (":Nothing waits for events of the bucket.", ""),
        "the waiver of CKV2_AWS_62 says no reason",
    ),
    "terraform/modules/network/main.tf": (
        ("#checkov:skip=CKV2_AWS_11:", "#checkov:skip=CKV_AWS_7:"),
        "the waiver of CKV_AWS_7 waives nothing",
    ),
    "Dockerfile": (("USER 10001:10001", "USER root"), "fails CKV_DOCKER_8"),
    ".github/workflows/ci.yml": (
        ("permissions:\n  contents: read", "permissions: write-all"),
        "fails CKV2_GHA_1",
    ),
}


def test_what_is_broken_is_found(project):
    for file, ((old, new), _) in BREAKS.items():
        path = project / file
        text = path.read_text("utf-8")
        assert old in text, f"the break of {file} looks in the wrong place"
        path.write_text(text.replace(old, new, 1), "utf-8")
    found = findings(ask(tool("checkov"), project), project)
    for file, (_, expected) in BREAKS.items():
        assert any(expected in sentence for sentence in found), (file, found)


def test_a_folder_that_was_not_looked_at_is_a_finding():
    assert findings([], Path("/nowhere"))[0] == "checkov looked at no dockerfile"
