"""What every runtime must keep: one suite, inherited by each of them."""

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from prismata.core.errors import InvalidInputError
from prismata.core.runtimes import machine_facts
from prismata.detection.runtimes import OnnxEncoder, OnnxHead, OpenVinoEncoder, sigmoid
from prismata.testing.tiny_onnx import write_flash_bundle

WIDTH, HEIGHT, FEATURES, BATCH, WINDOW = 24, 20, 6, 4, 5
WITHIN = 1e-4


def write_network(path, *, width=WIDTH, height=HEIGHT, features=FEATURES):
    """A convolution, a ReLU and a mean; returns the same function in numpy float64."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    dice = np.random.default_rng(5)
    weights = dice.normal(0, 0.4, (features, 3, 1, 1)).astype(np.float32)
    bias = dice.normal(0, 0.2, features).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["frames"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["pixels", "white"], ["unit"]),
        helper.make_node("Transpose", ["unit"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "weights", "bias"], ["maps"]),
        helper.make_node("Relu", ["maps"], ["fired"]),
        helper.make_node("ReduceMean", ["fired"], ["features"], axes=[2, 3], keepdims=0),
    ]
    constants = {"white": np.float32(255), "weights": weights, "bias": bias}
    graph = helper.make_graph(
        nodes,
        "mean_of_planes",
        [helper.make_tensor_value_info("frames", TensorProto.UINT8, ["N", height, width, 3])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", "F"])],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, ir_version=8, opset_imports=opset), str(path))

    def expected(frames):
        planes = np.einsum("nhwc,fc->nhwf", frames / 255.0, weights[:, :, 0, 0].astype(float))
        return np.maximum(planes + bias, 0).mean(axis=(1, 2))

    return expected


def pictures(count, seed=0):
    shape = (count, HEIGHT, WIDTH, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


class EncoderContract:
    """Inherit and say how to open a file."""

    def open(self, path, **options):
        raise NotImplementedError

    @pytest.fixture
    def file(self, tmp_path):
        path = tmp_path / "encoder.onnx"
        self.expected = write_network(path)
        return path

    def load(self, path, **options):
        return self.open(path, **{"width": WIDTH, "height": HEIGHT, "batch": BATCH} | options)

    @pytest.mark.parametrize("count", [1, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH + 2])
    def test_features_of_any_number_of_frames_are_right(self, file, count):
        frames = pictures(count)
        features = self.load(file).encode(frames)
        assert (features.shape, features.dtype) == ((count, FEATURES), np.float32)
        assert np.abs(features - self.expected(frames)).max() < WITHIN

    def test_no_frames_are_no_features(self, file):
        features = self.load(file).encode(pictures(0))
        assert (features.shape, features.dtype) == ((0, FEATURES), np.float32)

    def test_what_was_returned_stays_when_the_next_frames_come(self, file):
        encoder = self.load(file)
        first = encoder.encode(pictures(BATCH, seed=1))
        kept = first.copy()
        encoder.encode(pictures(BATCH, seed=2))
        assert np.array_equal(first, kept)

    def test_frames_are_only_read_and_may_lie_anyhow_in_memory(self, file):
        frames = pictures(2 * BATCH, seed=3)
        spread = frames[::2]
        sealed = np.ascontiguousarray(spread)
        sealed.flags.writeable = False
        before = sealed.copy()
        encoder = self.load(file)
        assert np.array_equal(encoder.encode(spread), encoder.encode(sealed))
        assert np.array_equal(sealed, before)

    def test_the_neighbours_in_a_batch_do_not_matter(self, file):
        encoder = self.load(file)
        frames = pictures(BATCH + 1, seed=4)
        alone = np.concatenate([encoder.encode(frame[None]) for frame in frames])
        assert np.abs(encoder.encode(frames) - alone).max() < WITHIN

    def test_sizes_are_told(self, file):
        encoder = self.load(file)
        assert (encoder.feature_size, encoder.width, encoder.height) == (FEATURES, WIDTH, HEIGHT)


class FileContract(EncoderContract):
    """For runtimes that open files themselves."""

    def threads_of(self, encoder):
        raise NotImplementedError

    @pytest.mark.parametrize("threads", [1, 2])
    def test_it_uses_as_many_threads_as_it_may(self, file, threads):
        assert self.threads_of(self.load(file, threads=threads)) == threads

    @pytest.mark.parametrize("content", [b"", b"hello", b"\x08\x07" * 50])
    def test_what_is_no_network_is_refused_in_one_line(self, tmp_path, content):
        path = tmp_path / "model.onnx"
        path.write_bytes(content)
        with pytest.raises(InvalidInputError, match=r"model\.onnx (cannot be|is not)") as caught:
            self.load(path)
        assert "\n" not in str(caught.value)

    def test_a_head_is_not_taken_for_an_encoder(self, flash_bundle):
        with pytest.raises(InvalidInputError, match=r"temporal\.onnx is not an encoder: it must"):
            self.load(flash_bundle / "temporal.onnx")

    def test_a_file_for_another_picture_size_is_refused(self, file):
        with pytest.raises(InvalidInputError, match=r"takes pictures of \(20, 24, 3\), but its"):
            self.load(file, width=HEIGHT)


class TestOnnxRuntime(FileContract):
    def open(self, path, **options):
        return OnnxEncoder(path, **options)

    def threads_of(self, encoder):
        return encoder._session.get_session_options().intra_op_num_threads


class TestOpenVino(FileContract):
    @pytest.fixture(autouse=True)
    def needs_openvino(self):
        if find_spec("openvino") is None:
            pytest.skip("the openvino extra is not installed")

    def open(self, path, **options):
        return OpenVinoEncoder(path, **options)

    def threads_of(self, encoder):
        return encoder.runtime.threads

    def test_lost_memory_is_told_as_lost_memory(self, tmp_path):
        # In a process of its own, because the limit on its address space is for good. 32 pictures
        # of 1024 x 1024 are 96 MB, and 384 MB once the network has made floats of them.
        bundle = write_flash_bundle(tmp_path / "large", width=1024, height=1024)
        program = (
            "import resource, sys; from pathlib import Path\n"
            "from prismata.detection.runtimes import OpenVinoEncoder, openvino_runtime\n"
            "openvino_runtime.import_openvino()\n"
            "used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
            "limit = used + 600 * 2**20\n"
            "resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
            "try:\n"
            "    OpenVinoEncoder(Path(sys.argv[1]), width=1024, height=1024, threads=1, batch=32)\n"
            "except MemoryError as error:\n"
            "    print('told:', error)\n"
        )
        ended = subprocess.run(
            [sys.executable, "-c", program, str(bundle / "encoder.onnx")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.stdout.startswith("told: Failed to allocate"), ended.stdout + ended.stderr

    def test_half_precision_is_used_only_when_it_is_asked_for(self, file):
        if not machine_facts().fast_bf16:
            pytest.skip("this processor has no bf16")
        frames = pictures(BATCH)
        errors = {}
        for precision in ("fp32", "bf16"):
            encoder = self.load(file, precision=precision)
            assert encoder.runtime.precision == precision
            errors[precision] = np.abs(encoder.encode(frames) - self.expected(frames)).max()
        assert errors["fp32"] < 1e-5 < errors["bf16"] < 1e-2


class TestTorch(EncoderContract):
    """PyTorch has no file of its own: it gets the function that the trained encoder is."""

    @pytest.fixture(autouse=True)
    def needs_torch(self):
        pytest.importorskip("torch", reason="the train extra is not installed")

    def open(self, path, *, width, height, batch):
        del batch
        import torch

        from prismata.training.encoders import FrameEncoder
        from prismata.training.heads import CnnLstmHead, HeadSpec
        from prismata.training.model import Detector
        from prismata.worker.train.torch_detection import TorchEncoder

        torch.manual_seed(0)
        convolution = torch.nn.Conv2d(3, FEATURES, 1)
        network = torch.nn.Sequential(
            convolution, torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
        )
        encoder = FrameEncoder(network, FEATURES)
        encoder.mean.zero_()
        encoder.std.fill_(255)
        weights = convolution.weight.detach().numpy()[:, :, 0, 0].astype(float)
        bias = convolution.bias.detach().numpy().astype(float)
        self.expected = lambda frames: np.maximum(
            np.einsum("nhwc,fc->nhwf", frames / 255.0, weights) + bias, 0
        ).mean(axis=(1, 2))
        head = CnnLstmHead(FEATURES, 1, HeadSpec(hidden=4, layers=1))
        detector = Detector(encoder, head, WINDOW).eval()
        return TorchEncoder(detector.encode, feature_size=FEATURES, width=width, height=height)


def test_the_head_scores_any_number_of_windows(flash_bundle):
    head = OnnxHead(flash_bundle / "temporal.onnx", num_frames=3)
    for count in (1, 64, 65):
        windows = np.random.default_rng(count).random((count, 3, 16), np.float32)
        expected = sigmoid((windows[:, 1].mean(axis=1, keepdims=True) - 0.6) * 20)
        scores = head.score(windows)
        assert (scores.shape, scores.dtype) == ((count, 1), np.float32)
        assert np.abs(scores - expected).max() < WITHIN
