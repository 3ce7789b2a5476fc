import hashlib
from contextlib import ExitStack

import pytest
import torch

from prismata.core.errors import InvalidInputError, NotFoundError, UnavailableError
from prismata.storage.memory import MemoryStorage
from prismata.training.weights import WeightsProvider, load_state


@pytest.fixture
def storage():
    opened = MemoryStorage()
    yield opened
    opened.close()


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "weights"
    path.mkdir()
    return path


@pytest.fixture
def provider(storage, folder, tmp_path, monkeypatch):
    # torchvision's own cache is a third place; here it is empty.
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    with ExitStack() as stack:
        yield WeightsProvider(storage, folder, stack)


def digest(content):
    return hashlib.sha256(content).hexdigest()


def test_the_storage_comes_before_the_folder(storage, folder, provider):
    storage.put("weights/mynet.onnx", b"stored")
    (folder / "mynet.onnx").write_bytes(b"local")
    found = provider.find("mynet")
    assert found.path.read_bytes() == b"stored"
    assert found.origin == f"storage weights/mynet.onnx, sha256 {digest(b'stored')}"
    assert found.is_onnx


def test_the_folder_is_next_and_searched_with_its_sub_folders(folder, provider):
    (folder / "mynet").mkdir()
    (folder / "mynet" / "model_final.pth").write_bytes(b"local")
    found = provider.find("mynet")
    assert found.path.read_bytes() == b"local"
    assert found.sha256 == digest(b"local")
    assert not found.is_onnx


@pytest.mark.parametrize(
    ("name", "is_found"),
    [
        ("mynet.onnx", True),
        ("mynet_v2.onnx", True),
        ("mynet-0123abcd.pth", True),
        ("mynetwork.onnx", False),
        ("other.onnx", False),
        ("mynet.txt", False),
        ("mynet.onnx.sha256", False),
    ],
)
def test_only_files_called_like_the_encoder_count(folder, provider, name, is_found):
    (folder / name).write_bytes(b"x")
    if is_found:
        assert provider.find("mynet").path.name == name
    else:
        with pytest.raises(UnavailableError):
            provider.find("mynet")


@pytest.mark.parametrize("place", ["storage", "folder"])
def test_a_file_that_differs_from_the_digest_beside_it_is_refused(storage, folder, provider, place):
    sidecar = f"{digest(b'what it should be')}  mynet.onnx\n".encode()
    if place == "storage":
        storage.put("weights/mynet.onnx", b"damaged")
        storage.put("weights/mynet.onnx.sha256", sidecar)
    else:
        (folder / "mynet.onnx").write_bytes(b"damaged")
        (folder / "mynet.onnx.sha256").write_bytes(sidecar)
    with pytest.raises(InvalidInputError, match=r"mynet\.onnx are damaged: SHA-256"):
        provider.find("mynet")


def test_a_file_that_has_the_digest_beside_it_is_taken(folder, provider):
    (folder / "mynet.onnx").write_bytes(b"good")
    (folder / "mynet.onnx.sha256").write_text(digest(b"good").upper() + "\n")
    assert provider.find("mynet").sha256 == digest(b"good")


def test_published_files_are_known_by_their_digest(folder, provider):
    (folder / "resnet18-f37072fd.pth").write_bytes(b"half of the download")
    with pytest.raises(InvalidInputError, match=r"instead of f37072fd.*; fetch the file again"):
        provider.find("resnet18")


def test_weights_that_are_nowhere_are_never_made_up(provider, folder):
    with pytest.raises(UnavailableError) as caught:
        provider.find("mynet")
    message = str(caught.value)
    assert "no pretrained weights for encoder 'mynet'" in message
    assert "storage below weights/" in message
    assert str(folder) in message
    assert "--weights none" in message


def test_without_a_folder_the_setting_is_named(storage):
    with ExitStack() as stack, pytest.raises(UnavailableError, match="PRISMATA_WEIGHTS_DIR is not"):
        WeightsProvider(storage, None, stack).find("mynet")


def test_a_folder_that_is_not_there_is_refused(storage, tmp_path):
    with ExitStack() as stack, pytest.raises(NotFoundError, match="which is not a folder"):
        WeightsProvider(storage, tmp_path / "gone", stack).find("mynet")


def test_torchvisions_own_cache_is_the_last_place_and_checked_too(provider, tmp_path):
    cache = tmp_path / "torch" / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    (cache / "resnet18-f37072fd.pth").write_bytes(b"half of the download")
    with pytest.raises(InvalidInputError, match=r"resnet18-f37072fd\.pth are damaged"):
        provider.find("resnet18")


def test_weights_are_tensors_and_never_code(folder, provider):
    torch.save({"layer": torch.ones(3)}, folder / "mynet.pth")
    assert load_state(provider.find("mynet"))["layer"].tolist() == [1, 1, 1]
    torch.save([torch.ones(3)], folder / "mynet.pth")
    with pytest.raises(InvalidInputError, match="no state dictionary"):
        load_state(provider.find("mynet"))
    (folder / "mynet.pth").write_bytes(b"hello")
    with pytest.raises(InvalidInputError, match="holds no weights"):
        load_state(provider.find("mynet"))
