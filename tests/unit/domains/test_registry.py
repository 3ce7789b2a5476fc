from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from prismata.core.errors import ConflictError, InvalidInputError, NotFoundError
from prismata.domains import Domain, DomainRegistry, EventType, load_plugin, register_domain


def discover(*folders):
    return DomainRegistry.discover(folders, entry_points=False)


@pytest.fixture
def install_package(tmp_path, monkeypatch):
    """Put a package with an entry point on the path, the way an installer leaves it."""

    def install(package, value, source):
        site = tmp_path / f"site-{package}"
        (site / package).mkdir(parents=True)
        (site / package / "__init__.py").write_text("")
        (site / package / "domain.py").write_text(source)
        info = site / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[prismata.domains]\n{package} = {value}\n")
        monkeypatch.syspath_prepend(str(site))
        assert package in entry_points(group="prismata.domains").names

    yield install
    for name in [item for item in sys.modules if item.partition(".")[0].startswith("pkg_")]:
        del sys.modules[name]


PACKAGED = """
from prismata.domains import Domain, EventType, register_domain

@register_domain
class Padel(Domain):
    name = "{name}"
    event_types = (EventType("smash"),)
"""


def test_plugins_are_found_in_folders(write_plugin):
    folder = write_plugin("tennis").parent
    write_plugin("chess")
    found = discover(folder)
    assert [domain.name for domain in found.domains] == ["chess", "tennis"]
    assert found.failures == ()
    assert [domain.name for domain in DomainRegistry.list()] == ["chess", "tennis"]
    assert DomainRegistry.get("tennis") is DomainRegistry.get("tennis")
    assert DomainRegistry.get("tennis").folder == folder / "tennis"
    assert DomainRegistry.origin("tennis") == str(folder / "tennis" / "domain.py")


def test_an_installed_package_is_found_by_its_entry_point(install_package, write_plugin):
    install_package("pkg_padel", "pkg_padel.domain:Padel", PACKAGED.format(name="padel"))
    found = DomainRegistry.discover([write_plugin("tennis").parent])
    assert [domain.name for domain in found.domains] == ["padel", "tennis"]
    assert "pkg_padel.domain:Padel" in DomainRegistry.origin("padel")
    again = DomainRegistry.discover([])
    assert [domain.name for domain in again.domains] == ["padel"]


def test_entry_points_can_be_left_out(install_package):
    install_package("pkg_padel", "pkg_padel.domain:Padel", PACKAGED.format(name="padel"))
    assert DomainRegistry.discover([], entry_points=False).domains == ()


def test_an_entry_point_must_name_a_domain_class(install_package):
    install_package("pkg_padel", "pkg_padel.domain", PACKAGED.format(name="padel"))
    (failure,) = DomainRegistry.discover([]).failures
    assert "write it as `package.module:ClassName`" in failure.message
    assert "pkg_padel" in failure.origin


def test_an_imported_package_and_its_entry_point_are_one_plugin(install_package):
    install_package("pkg_padel", "pkg_padel.domain:Padel", PACKAGED.format(name="padel"))
    (point,) = entry_points(group="prismata.domains", name="pkg_padel")
    point.load()
    assert [domain.name for domain in DomainRegistry.list()] == ["padel"]
    assert DomainRegistry.discover([]).failures == ()


def test_a_broken_plugin_is_kept_with_its_reason_and_stops_no_other(write_plugin):
    broken = write_plugin("broken", source="value = 1 / 0\n")
    write_plugin("exits", source="raise SystemExit(3)\n")
    write_plugin("garbled", source="class :\n")
    found = discover(write_plugin("tennis").parent)
    assert [domain.name for domain in found.domains] == ["tennis"]
    assert [failure.message.partition(":")[0] for failure in found.failures] == [
        "ZeroDivisionError", "SystemExit", "SyntaxError",
    ]  # fmt: skip
    assert found.failures[0].origin == str(broken / "domain.py")
    assert "value = 1 / 0" in found.failures[0].traceback
    assert DomainRegistry.failures() == list(found.failures)
    with pytest.raises(NotFoundError, match="its plugin is broken: ZeroDivisionError"):
        DomainRegistry.get("broken")


def test_a_plugin_that_fails_after_registering_leaves_nothing_behind(write_plugin):
    modules = set(sys.modules)
    folder = write_plugin("tennis", extra="pass\nraise ValueError('late')")
    assert discover(folder.parent).domains == ()
    assert DomainRegistry.list() == []
    assert set(sys.modules) == modules


def test_of_two_plugins_with_one_name_the_first_stays_and_the_second_names_both(write_plugin):
    first = write_plugin("tennis", inside="ours")
    second = write_plugin("tennis", inside="theirs", version=2)
    found = discover(first.parent, second.parent)
    assert [domain.version for domain in found.domains] == [1]
    (failure,) = found.failures
    assert failure.origin == str(second / "domain.py")
    assert str(first / "domain.py") in failure.message
    assert str(second / "domain.py") in failure.message


def test_the_folder_must_be_named_like_the_domain(write_plugin):
    folder = write_plugin("tennis", folder="badminton")
    with pytest.raises(InvalidInputError, match="folder 'badminton' declares domain 'tennis'"):
        load_plugin(folder)
    assert discover(folder.parent).failures[0].message.startswith("folder 'badminton'")


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from prismata.domains import Domain\nclass Tennis(Domain): pass\n", "none"),
        (PACKAGED.format(name="tennis") + PACKAGED.format(name="chess"), "tennis, chess"),
    ],
)
def test_a_plugin_registers_exactly_one_domain(write_plugin, source, found):
    folder = write_plugin("tennis", source=source)
    with pytest.raises(InvalidInputError, match=f"it registers {found}"):
        load_plugin(folder)


def test_a_folder_that_does_not_exist_is_said(tmp_path):
    (failure,) = discover(tmp_path / "nowhere").failures
    assert "nowhere does not exist" in failure.message
    with pytest.raises(NotFoundError, match="is not a domain plugin"):
        load_plugin(tmp_path)


def test_hidden_folders_and_folders_without_domain_py_are_left_out(write_plugin):
    folder = write_plugin("tennis", folder=".new-tennis").parent
    write_plugin("chess", folder="_drafts")
    (folder / "notes").mkdir()
    assert discover(folder).domains == ()
    assert DomainRegistry.failures() == []


def test_discovering_twice_changes_nothing(write_plugin):
    folder = write_plugin("tennis").parent
    first, second = discover(folder, folder), discover(folder)
    assert [d.name for d in first.domains] == [d.name for d in second.domains] == ["tennis"]
    assert first.failures == second.failures == ()


def test_an_edited_plugin_is_read_again_and_a_removed_one_goes(write_plugin, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    folder = write_plugin("tennis", version=1).parent
    assert discover(folder).domains[0].version == 1
    # Same second and same length: cached bytecode would hide this edit.
    write_plugin("tennis", version=2)
    assert discover(folder).domains[0].version == 2
    (folder / "tennis" / "domain.py").unlink()
    assert discover(folder).domains == ()
    assert DomainRegistry.list() == []


def test_loading_writes_nothing_beside_the_plugin_and_leaves_the_path_alone(
    write_plugin, monkeypatch
):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    folder, path = write_plugin("tennis"), list(sys.path)
    load_plugin(folder)
    assert [item.name for item in folder.iterdir()] == ["domain.py"]
    assert sys.path == path
    assert DomainRegistry.list() == []


def declare_chess(origin):
    domain_class = type("Chess", (Domain,), {"name": "chess", "event_types": (EventType("mate"),)})
    domain_class.__module__ = origin
    return register_domain(domain_class)


def test_a_domain_registered_by_hand_survives_discoveries(write_plugin):
    declare_chess("notebook")
    found = discover(write_plugin("tennis").parent)
    assert [domain.name for domain in found.domains] == ["tennis"]
    assert [domain.name for domain in DomainRegistry.list()] == ["chess", "tennis"]
    (failure,) = discover(write_plugin("chess", inside="other").parent).failures
    assert "two plugins are called 'chess': notebook and " in failure.message


def test_registering_again_from_one_place_replaces_and_from_another_conflicts():
    declare_chess("notebook")
    newer = declare_chess("notebook")
    assert type(DomainRegistry.get("chess")) is newer
    with pytest.raises(ConflictError, match="two plugins are called 'chess': notebook and other"):
        declare_chess("other")
    assert type(DomainRegistry.get("chess")) is newer


def test_an_unknown_name_gets_the_closest_known_ones(write_plugin):
    with pytest.raises(NotFoundError, match=r"call DomainRegistry\.discover first"):
        DomainRegistry.get("tennis")
    write_plugin("chess")
    discover(write_plugin("tennis").parent)
    with pytest.raises(NotFoundError, match="there is no domain 'tenis'; did you mean tennis"):
        DomainRegistry.get("tenis")
    with pytest.raises(NotFoundError, match="known domains are chess, tennis"):
        DomainRegistry.get("xylophone")


def test_the_room_and_its_plugins_load_without_torch_and_nothing_loads_at_import(write_plugin):
    folder = write_plugin("tennis").parent
    program = (
        "import sys\n"
        "for name in ('torch', 'torchvision', 'cv2', 'av', 'streamlit', 'onnxruntime'):\n"
        "    sys.modules[name] = None\n"
        "from pathlib import Path\n"
        "import prismata\n"
        "assert 'prismata.domains' not in sys.modules\n"
        "assert prismata.DomainRegistry.list() == []\n"
        "found = prismata.DomainRegistry.discover([Path(sys.argv[1])], entry_points=False)\n"
        "assert [d.name for d in found.domains] == ['tennis'], found.failures\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
