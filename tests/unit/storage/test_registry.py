from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from prismata.core.errors import InvalidInputError, UnavailableError
from prismata.settings import Settings, load_settings
from prismata.storage import open_storage
from prismata.storage.local import LocalStorage
from prismata.storage.memory import MemoryStorage
from prismata.storage.s3 import S3Storage


def in_fresh_python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout


def test_importing_the_room_loads_no_sdk() -> None:
    code = (
        "import sys, prismata.storage, prismata.storage.local, prismata.storage.memory\n"
        "print({'boto3', 'botocore', 's3transfer', 'urllib3'} & set(sys.modules))"
    )
    assert in_fresh_python(code) == "set()\n"


def test_without_boto3_the_line_that_installs_it_is_told() -> None:
    code = (
        "import sys; sys.modules['boto3'] = None\n"
        "from prismata.settings import Settings\n"
        "from prismata.storage import open_storage\n"
        "from prismata.core.errors import UnavailableError\n"
        "try: open_storage(Settings(storage_backend='s3', s3_bucket='b'))\n"
        "except UnavailableError as error: print(error)"
    )
    assert 'pip install "prismata[s3]"' in in_fresh_python(code)


def test_another_missing_module_is_not_taken_for_boto3() -> None:
    code = (
        "import sys; sys.modules['prismata.storage.cache'] = None\n"
        "from prismata.settings import Settings\n"
        "from prismata.storage import open_storage\n"
        "try: open_storage(Settings(storage_backend='s3', s3_bucket='b'))\n"
        "except ModuleNotFoundError as error: print(error.name)"
    )
    assert in_fresh_python(code) == "prismata.storage.cache\n"


def test_the_local_store_lies_in_the_data_folder(tmp_path: Path) -> None:
    store = open_storage(Settings(data_dir=tmp_path))
    assert isinstance(store, LocalStorage)
    store.put("videos/a.mp4", b"x")
    assert (tmp_path / "storage" / "videos" / "a.mp4").is_file()


def test_the_environment_chooses_the_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRISMATA_STORAGE_BACKEND", "memory")
    store = open_storage(load_settings())
    assert isinstance(store, MemoryStorage)
    assert repr(store) == "MemoryStorage()"


def test_s3_gets_its_settings(tmp_path: Path) -> None:
    store = open_storage(
        Settings(
            data_dir=tmp_path,
            storage_backend="s3",
            s3_bucket="videos-of-us",
            s3_prefix="team-a/",
            s3_endpoint_url="http://127.0.0.1:1",
            s3_region="eu-central-1",
            cache_max_gb=0.5,
        )
    )
    assert isinstance(store, S3Storage)
    assert repr(store) == "S3Storage('videos-of-us', 'team-a/')"
    assert store.cache.root == tmp_path / "cache" / "copies"
    assert store.cache.max_bytes == 500_000_000


def test_s3_without_a_bucket_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="PRISMATA_S3_BUCKET"):
        open_storage(Settings(data_dir=tmp_path, storage_backend="s3"))


def test_an_endpoint_that_is_no_url_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="PRISMATA_S3_ENDPOINT_URL"):
        open_storage(Settings(storage_backend="s3", s3_bucket="b", s3_endpoint_url="not a url"))


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"")
    with pytest.raises(UnavailableError, match="storage folder"):
        open_storage(Settings(data_dir=tmp_path / "data"))
