"""Domains as pip packages: built, installed and seen, by commands and on the page.

Three real wheels: one that is well, one that cannot be imported, and one that wants a name which is
taken.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from prismata.domains import DomainRegistry, EventType, create_domain, load_plugin
from prismata.domains.packing import pack_domain
from prismata.wiring import discover_domains

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")
OFFLINE = ("--no-index", "--no-deps")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """Build the three; pip starts once."""
    folder = tmp_path_factory.mktemp("packages")
    serve = [EventType("contact", hotkey="x"), EventType("serve", "segment")]
    create_domain(folder / "own", "tennis_serve", serve)
    create_domain(folder / "own", "golf", [EventType("swing")])
    tennis = pack_domain(load_plugin(folder / "own" / "tennis_serve")(), folder)
    golf = pack_domain(load_plugin(folder / "own" / "golf")(), folder)
    with (golf / "src" / "prismata_domains" / "golf" / "domain.py").open("a") as source:
        source.write("\nimport nowhere_at_all\n")
    rival = folder / "rival-tennis"
    shutil.copytree(tennis, rival)
    (rival / "src" / "prismata_domains").rename(rival / "src" / "rival_tennis")
    project = (rival / "pyproject.toml").read_text()
    project = project.replace("prismata_domains", "rival_tennis")
    (rival / "pyproject.toml").write_text(
        project.replace("prismata-domain-tennis-serve", "rival-tennis")
    )
    built = folder / "wheels"
    pip("wheel", *OFFLINE, "--no-build-isolation", "--wheel-dir", built, tennis, golf, rival)
    return sorted(built.glob("*.whl"))


@pytest.fixture(scope="module")
def site(wheels, tmp_path_factory):
    """Install them into a folder of their own, which a clean process has on its path."""
    folder = tmp_path_factory.mktemp("site")
    pip("install", *OFFLINE, "--quiet", "--target", folder, *wheels)
    return folder


@pytest.fixture(autouse=True)
def _forget_what_was_imported():
    yield
    for name in [item for item in sys.modules if item.startswith(("prismata_domains", "rival_"))]:
        del sys.modules[name]


def pip(*arguments):
    done = subprocess.run(
        [*PIP, *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def prismata(site, folder, *arguments):
    """Run a command in a process of its own, in a folder without any domain."""
    source = Path(sys.modules["prismata"].__file__).parents[1]
    path = os.pathsep.join((str(site), str(source)))
    return subprocess.run(
        [sys.executable, "-m", "prismata", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "PRISMATA_DATA_DIR": str(folder / "data")},
        check=False,
    )


def test_a_wheel_holds_the_plugin_folder_as_it_is(wheels, site, tmp_path):
    names = [wheel.name.split("-")[0] for wheel in wheels]
    assert names == ["prismata_domain_golf", "prismata_domain_tennis_serve", "rival_tennis"]
    installed = site / "prismata_domains" / "tennis_serve"
    files = {str(item.relative_to(installed)) for item in installed.rglob("*") if item.is_file()}
    compiled = {name for name in files if "__pycache__" in name}
    assert files - compiled == {
        "README.md", "domain.py", "scene.py", "tests/test_tennis_serve.py",
    }  # fmt: skip


def test_commands_show_the_good_the_broken_and_the_two_of_one_name(site, tmp_path):
    done = prismata(site, tmp_path, "domains", "list", "--json")
    assert done.returncode == 0, done.stderr
    listed = json.loads(done.stdout)
    (domain,) = listed["domains"]
    assert domain["name"] == "tennis_serve"
    assert "of prismata-domain-tennis-serve" in domain["origin"]
    broken, second = listed["failures"]
    assert "of prismata-domain-golf" in broken["origin"]
    assert broken["message"] == "ModuleNotFoundError: No module named 'nowhere_at_all'"
    assert broken["file"] == str(site / "prismata_domains" / "golf" / "domain.py")
    assert broken["line"] == len(Path(broken["file"]).read_text().splitlines())
    assert "two plugins are called 'tennis_serve'" in second["message"]
    for package in ("of prismata-domain-tennis-serve", "of rival-tennis"):
        assert package in second["message"]


def test_an_installed_domain_passes_its_checks_and_can_be_filmed(site, tmp_path):
    checked = prismata(site, tmp_path, "domains", "check", "tennis_serve")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "ok   tennis_serve readme" in checked.stdout
    assert "FAIL" not in checked.stdout
    filmed = prismata(
        site, tmp_path, "domains", "film", "tennis_serve",
        "--to", tmp_path / "videos", "--videos", 1, "--seconds", 4,
    )  # fmt: skip
    assert filmed.returncode == 0, filmed.stdout + filmed.stderr
    assert (tmp_path / "videos" / "labels.csv").is_file()


def test_the_page_shows_them_and_goes_on(site, bench, open_page, monkeypatch):
    monkeypatch.syspath_prepend(str(site))
    discover_domains(bench.settings)
    page = open_page("domains")
    assert "2 broken.**" in page.words
    assert "**Tennis serve** · tennis_serve · version 1" in page.words
    assert "From entry point tennis_serve = prismata_domains.tennis_serve.domain" in page.words
    assert "golf/domain.py, line" in page.words
    assert "No module named 'nowhere_at_all'" in page.words
    assert "two plugins are called 'tennis_serve': entry point" in page.words
    page.test.button(key="check:tennis_serve").click()
    assert "checks hold" in page.run().words


def test_a_package_that_comes_while_the_workbench_runs_is_seen(site, bench, open_page, monkeypatch):
    page = open_page("domains")
    assert "Tennis serve" not in page.words
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setattr("prismata.ui.context._looked_at", None)
    assert "**Tennis serve**" in page.run().words


def test_another_release_of_what_is_imported_waits_for_a_restart(
    site, bench, tmp_path, monkeypatch
):
    newer = tmp_path / "site"
    shutil.copytree(site, newer)
    monkeypatch.syspath_prepend(str(newer))
    discover_domains(bench.settings)
    (info,) = newer.glob("prismata_domain_tennis_serve-*.dist-info")
    metadata = (info / "METADATA").read_text().replace("Version: 1.0", "Version: 2.0")
    (info / "METADATA").write_text(metadata)
    info.rename(info.with_name("prismata_domain_tennis_serve-2.0.dist-info"))
    folders = [folder for folder in bench.settings.domain_folders if folder.is_dir()]
    failures = DomainRegistry.refresh(folders).failures
    told = next(item for item in failures if item.name == "tennis_serve" and item.kept_version)
    assert told.message == (
        "prismata-domain-tennis-serve 2.0 is installed now, but this process has imported "
        "prismata-domain-tennis-serve 1.0; start it again to use the new one"
    )
    assert DomainRegistry.get("tennis_serve").version == 1
