import pytest
from pydantic import SecretStr

from prismata.services.health import check_health


def verdicts(settings):
    return {part.part: part for part in check_health(settings)}


def test_everything_is_well_where_everything_is_there(settings, tmp_path):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "resnet18.pth").touch()
    parts = verdicts(settings.model_copy(update={"weights_dir": tmp_path / "weights"}))
    assert {name: part.verdict for name, part in parts.items() if part.verdict != "ok"} == {}
    assert "flashes" in parts["domains"].message
    assert parts["catalog"].message == "sqlite, 0 videos"
    assert parts["weights"].message == "resnet18.pth"
    assert "pyav" in parts["video readers"].message


def test_the_probe_of_the_storage_leaves_nothing(settings):
    check_health(settings)
    assert [path for path in settings.storage_dir.rglob("*") if "health" in path.name] == []


def test_missing_weights_are_worth_a_hint_and_no_error(settings):
    part = verdicts(settings)["weights"]
    assert part.verdict == "degraded"
    assert "PRISMATA_WEIGHTS_DIR" in part.message


def test_a_broken_domain_is_named_and_the_others_stay(settings, tmp_path):
    (tmp_path / "mine" / "broken").mkdir(parents=True)
    (tmp_path / "mine" / "broken" / "domain.py").write_text("this is no Python")
    folders = f"{settings.domains_dirs}:{tmp_path / 'mine'}"
    part = verdicts(settings.model_copy(update={"domains_dirs": folders}))["domains"]
    assert part.verdict == "degraded"
    assert "broken" in part.message
    assert "flashes" in part.message


@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:1/nothing", "mysql://x"])
def test_a_broken_catalog_hides_none_of_the_others(settings, url):
    parts = verdicts(settings.model_copy(update={"database_url": SecretStr(url)}))
    assert parts["catalog"].verdict == "error"
    assert parts["storage"].verdict == "ok"
    assert len(parts) == 10
