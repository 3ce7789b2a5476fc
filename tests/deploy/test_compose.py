"""`compose.yaml` read as YAML: its settings are ours, its services are kept apart and bounded."""

import json
import re
import shutil

import pytest
import yaml
from image_rules import TARGETS, compose_settings, read_text
from outside_tools import ROOT, run, tool

from prismata.settings import Settings

COMPOSE = yaml.safe_load(read_text(ROOT, "compose.yaml"))
SERVICES = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
PROFILES = {
    "default": {"app", "worker"},
    "team": {"team-app", "team-worker", "database", "broker"},
    "gpu": {"gpu-worker", "database", "broker"},
}


def test_a_profile_starts_what_it_says():
    started = {
        profile: {name for name, service in SERVICES.items() if profile in service["profiles"]}
        for profile in PROFILES
    }
    assert started == PROFILES


@pytest.mark.parametrize("name", OURS)
def test_settings_are_settings_of_the_program(name):
    given = compose_settings(SERVICES)[name]
    assert given
    fields = {key.removeprefix("PRISMATA_").lower(): value for key, value in given.items()}
    assert set(fields) <= set(Settings.model_fields)
    settings = Settings(**fields)
    if settings.dispatcher == "celery":
        assert settings.broker_url.get_secret_value().startswith("redis://broker:")
    else:
        assert settings.dispatcher == "none", "two processes would take the jobs of one app"


@pytest.mark.parametrize("name", OURS)
def test_our_containers_may_do_little(name):
    service = OURS[name]
    assert service["build"]["target"] in TARGETS
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "user" not in service, "the image says who it runs as"
    assert not service.get("privileged")
    writable = {volume.rpartition(":")[2] for volume in service["volumes"]}
    assert writable == {"/data", "/tmp"}  # noqa: S108 - in the container


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_bounded_and_pinned(name):
    service = SERVICES[name]
    assert re.fullmatch(r"(\$\{\w+:-)?\d+[mg]\}?", service["mem_limit"])
    assert service["restart"] == "unless-stopped"
    if "build" not in service:
        assert re.search(r":\d+\.\d+", service["image"]), "pin the version"
        assert service["healthcheck"]["test"]
        assert service["networks"] == ["inside"]
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:"), "there is no login"
    for other, terms in service.get("depends_on", {}).items():
        assert other in SERVICES
        assert terms["condition"] == "service_healthy"
        assert set(service["profiles"]) <= set(SERVICES[other]["profiles"])


def test_every_service_of_a_profile_has_its_volumes_networks_and_secrets():
    for service in SERVICES.values():
        named = (
            {volume.partition(":")[0] for volume in service["volumes"] if ":" in volume}
            if "volumes" in service
            else set()
        )
        assert named <= set(COMPOSE["volumes"])
        assert set(service.get("networks", [])) <= set(COMPOSE["networks"])
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
    assert COMPOSE["networks"]["inside"]["internal"] is True


def test_no_secret_is_written_down():
    text = read_text(ROOT, "compose.yaml")
    assert not re.search(r"(PASSWORD|SECRET|TOKEN|DATABASE_URL)\w*: *(?!/run/secrets/)\S", text)
    ignored = read_text(ROOT, ".gitignore").splitlines()
    assert "/secrets/" in ignored
    for service in SERVICES.values():
        for path in service.get("env_file", []):
            assert path.startswith("secrets/")
    assert all(secret["file"].startswith("secrets/") for secret in COMPOSE["secrets"].values())


def readme_commands():
    """The lines a new operator types, from README.md's part "On a server"."""
    part = read_text(ROOT, "README.md").partition("### On a server")[2].partition("\n### ")[0]
    return [
        line.partition("  #")[0].rstrip()
        for block in re.findall(r"```\n(.*?)```", part, re.DOTALL)
        for line in block.splitlines()
    ]


@pytest.mark.infrastructure
def test_compose_itself_takes_what_the_readme_says_to_type(tmp_path):
    compose = tool("docker-compose")
    shutil.copyfile(ROOT / "compose.yaml", tmp_path / "compose.yaml")
    started = {}
    for line in readme_commands():
        # Typed as it stands there, but nothing is started: compose says what it would start.
        typed = line.replace("docker compose", compose).replace(
            "up --build", "config --format json"
        )
        done = run(["bash", "-euo", "pipefail", "-c", typed], tmp_path)
        assert done.returncode == 0, (line, done.stderr)
        if typed != line:
            profiles = tuple(re.findall(r"--profile (\w+)", line))
            started[profiles] = json.loads(done.stdout)["services"]
    assert list(started) == [("default",), ("team",), ("team", "gpu")]
    for profiles, services in started.items():
        assert set(services) == set().union(*(PROFILES[name] for name in profiles))
        for service in services.values():
            assert {port["host_ip"] for port in service.get("ports", [])} <= {"127.0.0.1"}
    password = (tmp_path / "secrets/postgres_password").read_text().strip()
    assert len(password) == 48
    given = started["team",]["team-app"]["environment"]
    assert f":{password}@database/" in given["PRISMATA_DATABASE_URL"]
    assert given["PRISMATA_TRAIN_ON"] == "cpu"
    assert started["team", "gpu"]["team-app"]["environment"]["PRISMATA_TRAIN_ON"] == "gpu"


@pytest.mark.infrastructure
def test_compose_refuses_what_is_misspelt(tmp_path):
    text = read_text(ROOT, "compose.yaml").replace("mem_limit: 256m", "memory_limit: 256m")
    (tmp_path / "compose.yaml").write_text(text)
    done = run([tool("docker-compose"), "--profile", "team", "config", "--quiet"], tmp_path)
    assert done.returncode != 0
    assert "memory_limit" in done.stderr


@pytest.mark.infrastructure
def test_workflows_are_what_their_schema_says(tmp_path):
    check = [tool("check-jsonschema"), "--builtin-schema", "vendor.github-workflows"]
    workflows = sorted((ROOT / ".github/workflows").glob("*.yml"))
    done = run([*check, *map(str, workflows)], ROOT)
    assert done.returncode == 0, done.stdout
    broken = tmp_path / "ci.yml"
    broken.write_text(workflows[0].read_text("utf-8").replace("runs-on:", "runs_on:"))
    assert run([*check, str(broken)], ROOT).returncode == 1
