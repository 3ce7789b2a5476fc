"""The Dockerfile without an engine, and what is in the images as far as pip and Python can tell."""

import json

import pytest
from image_rules import (
    TARGETS,
    findings,
    installed_from,
    is_sent_to_the_builder,
    lineage,
    pip_installs,
    read_stages,
    read_text,
)
from outside_tools import ROOT, run, tool

from prismata.cli.main import run_command
from prismata.settings import Settings

DOCKERFILE = read_text(ROOT, "Dockerfile")
CONSTRAINTS = read_text(ROOT, "constraints.txt")


def test_the_dockerfile_is_sound():
    assert findings(DOCKERFILE, CONSTRAINTS) == []


BREAKS = {
    "root": ("USER 10001:10001\n", "", "runs as root"),
    "a user by name": ("USER 10001:10001", "USER prismata", "runs as prismata"),
    "torch in the app": ("'.[ui,s3", "'.[train,ui,s3", "app: PyTorch is in it"),
    "torch in the app by name": (
        "COPY src src\nRUN pip install --constraint constraints.txt --no-deps",
        "COPY src src\nRUN pip install --constraint constraints.txt torch --no-deps",
        "app: PyTorch is in it",
    ),
    "no torch in a worker": (
        "'.[train,s3,postgres,celery]'",
        "'.[s3]'",
        "worker-gpu: PyTorch is not",
    ),
    "a base without a version": ("python:3.11.14-slim-bookworm", "python:latest", "is not pinned"),
    "a base with half a version": ("python:3.11.14-slim-bookworm", "python:3", "is not pinned"),
    "a version of its own": (" torch torchvision", " torch==2.9.0 torchvision", "torch==2.9.0"),
    "no constraints": (
        "RUN pip install --constraint constraints.txt '.[ui",
        "RUN pip install '.[ui",
        "not held to constraints.txt",
    ),
    "something from the internet": ("WORKDIR /app\n", "ADD https://x.example/a /app\n", "ADD"),
    "a download": ("WORKDIR /app\n", "RUN curl -O https://x.example/a\n", "fetches something"),
    "a secret": (
        "ENV PRISMATA_HOST=0.0.0.0",
        "ENV PRISMATA_DATABASE_URL=x",
        "PRISMATA_DATABASE_URL",
    ),
    "everything": ("COPY domains domains", "COPY . /app", "takes the whole folder"),
    "no health check": (
        "HEALTHCHECK --interval=30s",
        "LABEL interval=30s",
        "app: nobody can tell",
    ),
    "a home that cannot be written": (
        "HOME=/tmp",
        "HOME=/home/prismata",
        "HOME is not on a volume",
    ),
    "no volume": ('VOLUME ["/data", "/tmp"]\n', "", "PRISMATA_DATA_DIR is not on a volume"),
    "a shell": ('ENTRYPOINT ["prismata"]', "ENTRYPOINT prismata", "a shell stands between"),
    "another default": (
        "FROM runtime AS app\n",
        "FROM runtime AS app\nFROM app AS tests\n",
        "--target",
    ),
    "a target that is gone": ("FROM runtime AS worker-cpu", "FROM runtime AS worker", "no target"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_what_is_broken_is_noticed(name):
    old, new, expected = BREAKS[name]
    assert old in DOCKERFILE, "this break looks in the wrong place"
    found = findings(DOCKERFILE.replace(old, new, 1), CONSTRAINTS)
    assert any(expected in sentence for sentence in found), found


def test_images_set_settings_that_the_program_takes():
    for stage in read_stages(DOCKERFILE).values():
        for words in stage.all("ENV"):
            for pair in words.split():
                name, _, value = pair.partition("=")
                if name.startswith("PRISMATA_"):
                    assert Settings(**{name.removeprefix("PRISMATA_").lower(): value})


@pytest.mark.parametrize("target", TARGETS)
def test_the_command_of_an_image_exists(target, capsys):
    stages = read_stages(DOCKERFILE)
    words = next(words for stage in lineage(stages, target) for words in stage.all("CMD"))
    command = json.loads(words)
    assert run_command([command[0], "--help"]) == 0
    told = capsys.readouterr().out
    for option in command[1:]:
        if option.startswith("--"):
            assert option in told


def test_images_are_installed_from_what_is_copied():
    stages = read_stages(DOCKERFILE)
    for target in TARGETS:
        assert list(pip_installs(installed_from(stages, target)))


@pytest.mark.parametrize(
    "path",
    [
        ".git/config", ".venv/bin/python", "data/prismata.db", "secrets/team.env", ".env",
        "prismata.toml", "terraform/environments/team/terraform.tfstate", "tests/conftest.py",
        "domains/falls/tests/test_domain.py", "src/prismata/__pycache__/x.pyc", "node_modules/a",
        "weights/resnet18.pth", "docker/team.env", "src/.env", "compose.yaml",
    ],
)  # fmt: skip
def test_what_is_no_part_of_an_image_is_not_sent_to_the_builder(path):
    assert not is_sent_to_the_builder(read_text(ROOT, ".dockerignore"), path)


def test_what_the_images_are_made_of_is_sent_to_the_builder():
    ignore = read_text(ROOT, ".dockerignore")
    wanted = ["pyproject.toml", "constraints.txt", "README.md", "docker/health.py"]
    wanted += ["src/prismata/_version.py", "src/prismata/ui/app.py", "domains/falls/domain.py"]
    for path in wanted:
        assert (ROOT / path).is_file()
        assert is_sent_to_the_builder(ignore, path), path


@pytest.mark.infrastructure
def test_hadolint_has_no_complaint(tmp_path):
    program = tool("hadolint")
    done = run([program, str(ROOT / "Dockerfile")], ROOT)
    assert done.returncode == 0, done.stdout
    broken = tmp_path / "Dockerfile"
    broken.write_text(DOCKERFILE.replace("WORKDIR /app", "WORKDIR app", 1))
    assert "DL3000" in run([program, str(broken)], ROOT).stdout
