"""Gathering with a frozen encoder: the features of a run are there, however small the cache is."""

from dataclasses import replace

import numpy as np
import pytest

from prismata.core.child import ChildReporter
from prismata.core.events import Event
from prismata.detection.bundle import ENCODER_FILE, file_digest
from prismata.detection.feature_cache import FeatureCache, FeatureKey
from prismata.services.datasets import create_dataset
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label
from prismata.training.recipe import Recipe
from prismata.worker.train.encoder_setup import EncoderSetup
from prismata.worker.train.gather import gather


class Quiet(ChildReporter):
    """Says nothing; nobody listens to a child here."""

    def __init__(self):
        pass

    def progress(self, *_arguments):
        pass


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("cache_gb", [0, 1e-7, 5], ids=["off", "tiny", "roomy"])
def test_a_small_cache_does_not_stop_training(
    bench, flashes, uneven_flashes, flash_bundle, cache_gb, count
):
    bench = replace(
        bench, settings=bench.settings.model_copy(update={"feature_cache_gb": cache_gb})
    )
    for made in (flashes, uneven_flashes)[:count]:
        taken = ingest_file(bench, made.path, domain="flashes").video
        add_label(bench, taken, "flashes", Event.point("flash", 3_000_000))
    version, _ = create_dataset(bench, "flashes")
    domain = bench.domain("flashes")
    path = flash_bundle / ENCODER_FILE
    setup = EncoderSetup(None, path, file_digest(path), None, "none", None)
    data = gather(bench, version, domain, domain.clip, Recipe(), setup, Quiet())
    videos = [video for split in data.videos.values() for video in split]
    assert len(videos) == count
    for video in videos:
        assert video.inputs.ndim == 2
        assert len(video.inputs) == len(video.times_us)
        assert np.isfinite(video.inputs).all()
        assert video.inputs.std() > 0
        clip = domain.clip
        key = FeatureKey(
            data.records[video.name].sha256,
            f"{setup.frozen_sha256}:fp32",
            clip.target_fps,
            clip.width,
            clip.height,
        )
        kept = FeatureCache(bench.settings.cache_dir / "features", 10**9)
        assert np.array_equal(kept.open(key, video.inputs.shape), video.inputs)
