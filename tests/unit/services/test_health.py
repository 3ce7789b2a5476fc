import pytest
from pydantic import SecretStr

from prismata.catalog import newest_revision
from prismata.core.runtimes import MachineFacts
from prismata.services import health
from prismata.services.health import check_health


def verdicts(settings):
    return {part.part: part for part in check_health(settings)}


def test_everything_is_well_where_everything_is_there(settings, tmp_path):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "resnet18.pth").touch()
    parts = verdicts(settings.model_copy(update={"weights_dir": tmp_path / "weights"}))
    assert {name: part.verdict for name, part in parts.items() if part.verdict != "ok"} == {}
    assert "flashes" in parts["domains"].message
    assert parts["catalog"].message.endswith(f"schema {newest_revision()}, 0 videos")
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
    assert parts["domains"].verdict == "ok"
    assert len(parts) == len(health.CHECKS)


FAST = MachineFacts(
    {"onnxruntime": "1.2", "openvino": "3.4"}, "x86_64", fast_int8=True, fast_bf16=True, cuda=True
)
SLOW = MachineFacts({"onnxruntime": "1.2"}, "x86_64", fast_int8=False, fast_bf16=False, cuda=False)


def detection(settings, monkeypatch, facts, **changes):
    monkeypatch.setattr(health, "machine_facts", lambda: facts)
    part = verdicts(settings.model_copy(update=changes))["detection"]
    return part.verdict, part.message


def test_every_way_to_detect_is_listed(settings, monkeypatch):
    assert detection(settings, monkeypatch, FAST) == (
        "ok",
        "onnxruntime 1.2 (fp32, int8, fp32 on cuda); openvino 3.4 (fp32, bf16, int8)",
    )


def test_what_detection_lacks_is_said_once_with_the_way_out(settings, monkeypatch):
    verdict, message = detection(settings, monkeypatch, SLOW)
    assert verdict == "ok"
    assert message.startswith("onnxruntime 1.2 (fp32); this processor has no 8-bit arithmetic")
    assert message.count('pip install "prismata[openvino]"') == 1


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({"detect_runtime": "openvino"}, "openvino"),
        ({"detect_precision": "int8"}, "int8"),
        ({"detect_runtime": "onnxruntime", "detect_precision": "bf16"}, "onnxruntime in bf16"),
    ],
)
def test_settings_that_cannot_be_had_are_told(settings, monkeypatch, changes, asked):
    verdict, message = detection(settings, monkeypatch, SLOW, **changes)
    assert verdict == "degraded"
    assert message.startswith(f"the settings ask for {asked}, which cannot be had here: onnxr")
