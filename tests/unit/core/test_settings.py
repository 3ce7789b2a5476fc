from pathlib import Path

import pytest

from prismata.core.errors import InvalidInputError
from prismata.settings import Settings, load_settings

URL = "postgresql://somebody:hunter2@db.example/prismata"


def test_the_defaults_need_no_configuration():
    settings = load_settings()
    assert settings.storage_backend == "local"
    assert settings.storage_dir == Path("data/storage")
    assert settings.cache_dir == Path("data/cache")
    assert settings.catalog_url == f"sqlite:///{Path('data/prismata.db').resolve()}"
    assert settings.domain_folders == (Path("domains"),)


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prismata.toml").write_text('port = 9000\nuser = "file"\n')
    monkeypatch.setenv("PRISMATA_USER", "environment")
    settings = load_settings()
    assert (settings.port, settings.user, settings.host) == (9000, "environment", "127.0.0.1")


def test_a_variable_that_is_no_setting_is_refused_with_the_names_there_are(monkeypatch):
    monkeypatch.setenv("PRISMATA_STORAGE", "s3")
    with pytest.raises(InvalidInputError) as caught:
        load_settings()
    assert "PRISMATA_STORAGE is set, but there is no such setting" in str(caught.value)
    assert "PRISMATA_STORAGE_BACKEND" in str(caught.value)


def test_variables_of_the_tests_are_left_alone(monkeypatch):
    monkeypatch.setenv("PRISMATA_TEST_ANYTHING", "1")
    load_settings()


def test_a_key_of_the_file_that_is_no_setting_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prismata.toml").write_text("ports = 9000\n")
    with pytest.raises(InvalidInputError, match="PRISMATA_PORTS"):
        load_settings()


def test_a_file_that_is_not_toml_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prismata.toml").write_text("port = = 9000\n")
    with pytest.raises(InvalidInputError, match=r"prismata\.toml"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"),
        ("STORAGE_BACKEND", "ftp"),
        ("CACHE_MAX_GB", "0"),
        ("PORT", "many"),
        ("TRAIN_PROCESSES", "0"),
        ("TRAIN_PROCESSES", "all"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_the_name_of_its_variable(
    monkeypatch, name, value
):
    monkeypatch.setenv(f"PRISMATA_{name}", value)
    with pytest.raises(InvalidInputError, match=f"PRISMATA_{name}"):
        load_settings()


def test_a_request_makes_the_same_settings_again_secrets_included(monkeypatch, tmp_path):
    settings = Settings(
        data_dir=tmp_path,
        domains_dirs=str(tmp_path / "domains"),
        database_url=URL,
        weights_dir=tmp_path / "weights",
        port=9001,
        broker_url="redis://somewhere:6379/0",
    )
    request = settings.to_request()
    monkeypatch.setenv("PRISMATA_PORT", "1234")
    monkeypatch.setenv("PRISMATA_DATABASE_URL", "sqlite://")
    again = Settings(**request)
    assert again == settings.model_copy(update={"dispatcher": "none"}), "a child starts no jobs"
    assert Settings(**request).catalog_url == URL


def test_a_child_in_another_folder_finds_the_same_data(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    request = Settings().to_request()
    monkeypatch.chdir(tmp_path.parent)
    assert Settings(**request).storage_dir == tmp_path / "data" / "storage"


def test_a_child_in_another_folder_finds_the_same_domains_and_weights(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    request = Settings(domains_dirs="mine:/opt/theirs", weights_dir="weights").to_request()
    monkeypatch.chdir(tmp_path.parent)
    again = Settings(**request)
    assert again.domain_folders == (tmp_path / "mine", Path("/opt/theirs"))
    assert again.weights_dir == tmp_path / "weights"


def test_a_secret_is_not_shown_by_accident():
    assert "hunter2" not in repr(Settings(database_url=URL))
    assert "hunter2" not in str(Settings(database_url=URL).model_dump(mode="json"))


@pytest.mark.parametrize("given", ["auto", "1", "16"])
def test_the_processes_of_a_training_are_a_number_or_found_out(monkeypatch, given):
    monkeypatch.setenv("PRISMATA_TRAIN_PROCESSES", given)
    assert load_settings().train_processes == given


def test_the_file_may_name_a_number(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prismata.toml").write_text("train_processes = 2\n")
    assert load_settings().train_processes == "2"
