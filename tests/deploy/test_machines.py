"""What machines in the cloud are told: scripts that run, beside stand-ins for AWS and Docker."""

import base64
import gzip
import http.server
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml
from outside_tools import run, terraform, tool

from prismata.catalog import open_catalog
from prismata.core.jobs import ResourceClass

CONFIG = Path(__file__).resolve().parents[2] / "terraform/modules/machine_config"
SCRIPTS = sorted(path for path in (CONFIG / "files").iterdir() if not path.suffix)
UNITS = sorted(
    path for path in (CONFIG / "files").iterdir() if path.suffix in (".service", ".timer")
)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_shell(path):
    done = subprocess.run(["bash", "-n", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "set -euo pipefail" in path.read_text("utf-8")


@pytest.mark.infrastructure
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_has_no_complaint(path, tmp_path):
    program = tool("shellcheck")
    done = run([program, str(path)], CONFIG)
    assert done.returncode == 0, done.stdout
    broken = tmp_path / path.name
    broken.write_text(path.read_text("utf-8") + '\nrm -rf "$UNKNOWN"/* $2\n')
    assert "SC2086" in run([program, str(broken)], CONFIG).stdout


def render(units="prismata@app.service", machine_env="A=1\n", packages=("docker",)):
    """Fill the template as main.tf does it."""
    text = (CONFIG / "templates/cloud-config.yaml.tftpl").read_text("utf-8")
    asked = f"packages: {json.dumps(packages)}\n" if packages else ""
    values = {"packages": asked, "units": units}
    contents = {"machine_env": machine_env, "settings_env": ""}
    sources = re.findall(
        r'(\w+) += filebase64\("\$\{path.module\}/([^"]+)"\)', (CONFIG / "main.tf").read_text()
    )
    contents |= {name: (CONFIG / path).read_text("utf-8") for name, path in sources}
    values |= {name: base64.b64encode(text.encode()).decode() for name, text in contents.items()}
    missing = set(re.findall(r"\$\{(\w+)\}", text)) - set(values)
    assert not missing, "the template asks for what main.tf does not give"
    return re.sub(r"\$\{(\w+)\}", lambda match: values[match[1]], text)


def test_user_data_is_a_cloud_config_with_every_file():
    text = render()
    assert text.startswith("#cloud-config\n")
    config = yaml.safe_load(text)
    assert set(config) <= {"package_update", "packages", "write_files", "runcmd"}
    written = {item["path"]: item for item in config["write_files"]}
    for path in SCRIPTS:
        item = written[f"/usr/local/sbin/{path.name}"]
        assert base64.b64decode(item["content"]) == path.read_bytes()
        assert item["permissions"] == "0755"
    for path in UNITS:
        assert (
            base64.b64decode(written[f"/etc/systemd/system/{path.name}"]["content"])
            == path.read_bytes()
        )
    for item in written.values():
        assert set(item) == {"path", "permissions", "encoding", "content"}
    assert all(isinstance(word, str) for command in config["runcmd"] for word in command)
    assert len(gzip.compress(text.encode())) < 12_000, "EC2 takes 16 KB, settings included"


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_what_is_written(path):
    config = yaml.safe_load(render())
    written = {item["path"] for item in config["write_files"]}
    text = path.read_text("utf-8")
    for program in re.findall(r"^ExecStart=(\S+)", text, re.MULTILINE):
        assert program in written
    for file in re.findall(r"^EnvironmentFile=(\S+)", text, re.MULTILINE):
        assert file in written
    for unit in re.findall(r"\bprismata[-@\w]*\.(?:service|timer)\b", text):
        assert re.sub(r"@[\w-]*\.", "@.", unit) in {item.name for item in UNITS}
    if path.suffix == ".timer":
        assert path.with_suffix(".service") in UNITS


@pytest.mark.infrastructure
@pytest.mark.parametrize("packages", [["docker"], []])
def test_terraform_renders_the_same(tmp_path, packages):
    command = terraform()
    copy = tmp_path / "config"
    shutil.copytree(CONFIG, copy, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    given = {"machine": {"A": "1"}, "settings": {}, "units": ["prismata@app.service"]}
    given |= {"packages": packages}
    (copy / "given.auto.tfvars.json").write_text(json.dumps(given))
    for words in (["init", "-input=false"], ["apply", "-auto-approve", "-input=false"]):
        done = run([*command, *words], copy)
        assert done.returncode == 0, done.stderr
    printed = run([*command, "output", "-raw", "cloud_config"], copy).stdout
    assert printed.strip() == render(packages=packages).strip()


@pytest.mark.infrastructure
@pytest.mark.parametrize(
    ("units", "packages"),
    [
        ("prismata@app.service, prismata@worker.service, prismata-metric.timer", ("docker",)),
        ("prismata@gpu-worker.service, prismata-leave.timer", ()),
    ],
)
def test_cloud_init_takes_what_a_machine_is_told(tmp_path, units, packages):
    program = tool("cloud-init")
    path = tmp_path / "user-data"
    path.write_text(render(units=units, packages=packages), "utf-8")
    done = run([program, "schema", "--config-file", str(path)], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    path.write_text(path.read_text("utf-8").replace('"0755"', "0755", 1), "utf-8")
    done = run([program, "schema", "--config-file", str(path)], tmp_path)
    assert done.returncode != 0
    assert "permissions" in done.stdout + done.stderr


@pytest.fixture
def machine(tmp_path):
    """Run a script with stand-ins; what they were called with is in `calls`."""
    programs, calls = tmp_path / "bin", tmp_path / "calls"
    programs.mkdir()

    class Machine:
        folder = tmp_path

        @staticmethod
        def put(name, body="true"):
            path = programs / name
            path.write_text(f'#!/bin/bash\necho "{name} $*" >>{calls}\n{body}\n')
            path.chmod(0o755)

        @staticmethod
        def run(script, *arguments, **environment):
            return subprocess.run(
                ["bash", str(CONFIG / "files" / script), *arguments],
                capture_output=True,
                text=True,
                check=False,
                env={"PATH": f"{programs}:{os.defpath}", "AWS_REGION": "eu-north-1"} | environment,
            )

        @property
        def calls(self):
            return calls.read_text().splitlines() if calls.exists() else []

    return Machine()


ROLES = {
    "app": ["--publish 192.0.2.1:8501:8501", " registry/app:1 serve"],
    "worker": ["--memory 2g", " registry/worker:1 worker"],
    "gpu-worker": ["--gpus all", " registry/worker:1 worker --class gpu"],
    "tunnel": ["--network host", " tunnel:1 tunnel --no-autoupdate run"],
}


@pytest.mark.parametrize("role", ROLES)
def test_containers_are_started_with_little_power(machine, role):
    machine.put("docker")
    done = machine.run(
        "prismata-run", role, LOG_GROUP="/prismata", APP_IMAGE="registry/app:1",
        PUBLISH="192.0.2.1",
        WORKER_IMAGE="registry/worker:1", TUNNEL_IMAGE="tunnel:1",
        CERTIFICATE_FOLDER=str(machine.folder / "none"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    call = machine.calls[-1]
    for part in (
        "docker run --rm --init", "--read-only", "--cap-drop ALL", "no-new-privileges",
        "awslogs-group=/prismata", *ROLES[role],
    ):  # fmt: skip
        assert part in call
    assert ("secrets.env" in call) == (role != "tunnel"), (
        "a tunnel has no business with the database"
    )
    assert ("--publish" in call) == (role == "app")


def test_a_role_that_does_not_exist_is_told(machine):
    machine.put("docker")
    done = machine.run("prismata-run", "gpu", LOG_GROUP="/prismata")
    assert done.returncode == 64
    assert "there is no role gpu" in done.stderr


def test_a_machine_gets_secrets_that_only_root_can_read(machine):
    for name in ("docker", "chown", "mkswap", "swapon", "curl"):
        machine.put(name)
    machine.put("curl", 'while [[ $1 != --output ]]; do shift; done; echo certificate >"$2"')
    machine.put(
        "aws",
        'case "$*" in */database-url*) echo "postgresql://u:p@h/d?a=b" ;; *) echo word ;; esac',
    )
    run, data = machine.folder / "run", machine.folder / "data"
    done = machine.run(
        "prismata-boot", REGISTRY="registry.example", IMAGES="registry.example/a:1 b:2",
        SECRETS="PRISMATA_DATABASE_URL=/prismata-team/database-url", SWAP_GB="0",
        DATABASE_CA_URL="https://ca.example/bundle.pem", RUN_FOLDER=str(run),
        DATA_FOLDER=str(data), CERTIFICATE_FOLDER=str(machine.folder / "certificates"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    secrets = run / "secrets.env"
    assert secrets.read_text() == "PRISMATA_DATABASE_URL=postgresql://u:p@h/d?a=b\n"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
    assert stat.S_IMODE(run.stat().st_mode) == 0o700
    assert (run / "tunnel.env").read_text() == ""
    assert (machine.folder / "certificates/database.pem").read_text() == "certificate\n"
    assert "docker login --username AWS --password-stdin registry.example" in machine.calls
    assert [call for call in machine.calls if "pull" in call] == [
        "docker pull --quiet registry.example/a:1", "docker pull --quiet b:2",
    ]  # fmt: skip
    assert "postgresql" not in " ".join([done.stdout, done.stderr, *machine.calls])


def test_a_secret_that_cannot_be_read_stops_the_start(machine):
    for name in ("docker", "chown"):
        machine.put(name)
    machine.put("aws", "exit 254")
    done = machine.run(
        "prismata-boot", REGISTRY="r", IMAGES="a:1", SECRETS="PRISMATA_DATABASE_URL=/x",
        BOOT_ATTEMPTS="2", BOOT_PAUSE="0",
        RUN_FOLDER=str(machine.folder / "run"), DATA_FOLDER=str(machine.folder / "data"),
    )  # fmt: skip
    assert done.returncode != 0
    assert len([call for call in machine.calls if call.startswith("aws")]) == 2
    assert not (machine.folder / "run/secrets.env").exists()


def test_a_machine_waits_for_images_that_are_not_there_yet(machine):
    for name in ("aws", "chown"):
        machine.put(name)
    asked = machine.folder / "asked"
    machine.put("docker", f"[[ $1 != pull || -e {asked} ]] || {{ touch {asked}; exit 1; }}")
    done = machine.run(
        "prismata-boot", REGISTRY="r", IMAGES="a:1", BOOT_PAUSE="0",
        RUN_FOLDER=str(machine.folder / "run"), DATA_FOLDER=str(machine.folder / "data"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "pull_images failed, 1 times so far" in done.stderr
    assert machine.calls.count("docker pull --quiet a:1") == 2


def test_the_number_of_gpu_jobs_is_told_from_the_table_of_jobs(machine):
    data = machine.folder / "data"
    data.mkdir()
    with open_catalog(f"sqlite:///{data / 'prismata.db'}") as catalog:
        for number in range(3):
            catalog.jobs.submit(
                "train", {"n": number}, author="a", resource_class=ResourceClass.GPU
            )
        catalog.jobs.submit("detect", {}, author="a")
    # The stand-in leaves out `exec prismata-app prismata` and asks the real program.
    python_path = os.environ.get("PYTHONPATH", "")
    machine.put(
        "docker",
        f'shift 3; cd {data}; export PRISMATA_DATA_DIR={data} PYTHONPATH="{python_path}"\n'
        f'exec {sys.executable} -m prismata "$@"',
    )
    machine.put("aws")
    done = machine.run("prismata-metric", METRIC_NAMESPACE="Prismata", ENVIRONMENT="prismata-team")
    assert done.returncode == 0, done.stderr
    assert machine.calls[-1] == (
        "aws cloudwatch put-metric-data --namespace Prismata --metric-name OpenGpuJobs "
        "--dimensions Environment=prismata-team --unit Count --value 3"
    )


def test_nothing_is_told_when_the_app_does_not_answer(machine):
    machine.put("docker", "exit 1")
    machine.put("aws")
    done = machine.run("prismata-metric", METRIC_NAMESPACE="Prismata", ENVIRONMENT="e")
    assert done.returncode != 0
    assert not [call for call in machine.calls if call.startswith("aws")]


class Metadata(http.server.BaseHTTPRequestHandler):
    """Version 2 of the metadata service: a token first."""

    known: dict

    def do_PUT(self):
        self._answer(200, "a-token")

    def do_GET(self):
        if self.headers.get("X-aws-ec2-metadata-token") != "a-token":
            self._answer(401, "")
            return
        body = self.known.get(self.path.removeprefix("/latest/meta-data/"))
        self._answer(404 if body is None else 200, body or "")

    def _answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_args):
        pass


@pytest.fixture
def metadata():
    handler = type("OneMetadata", (Metadata,), {"known": {"instance-id": "i-0abc"}})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield handler.known, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("boot", "worker", "notice", "expected"),
    [
        ("active", "inactive", "", "--should-decrement-desired-capacity"),
        ("active", "failed", "", "--should-decrement-desired-capacity"),
        ("failed", "inactive", "", "--should-decrement-desired-capacity"),
        ("active", "inactive", "spot/instance-action", "--no-should-decrement-desired-capacity"),
        (
            "active", "inactive", "events/recommendations/rebalance",
            "--no-should-decrement-desired-capacity",
        ),
        ("active", "active", "events/recommendations/rebalance", ""),
        ("active", "active", "", ""),
        ("active", "activating", "", ""),
        ("active", "deactivating", "", ""),
        ("activating", "inactive", "", ""),
    ],
)  # fmt: skip
def test_a_machine_leaves_only_when_its_worker_has_ended(
    machine, metadata, boot, worker, notice, expected
):
    known, address = metadata
    if notice:
        known[notice] = "{}"
    machine.put(
        "systemctl",
        f"case $2 in prismata-boot*) echo {boot} ;; *) echo {worker} ;; esac; [[ $2 == *boot* ]]",
    )
    machine.put("aws")
    done = machine.run("prismata-leave", METADATA_URL=address)
    assert done.returncode == 0, done.stderr
    asked = [call for call in machine.calls if call.startswith("aws")]
    if not expected:
        assert asked == []
        return
    assert asked == [
        "aws autoscaling terminate-instance-in-auto-scaling-group --instance-id i-0abc " + expected
    ]
