"""Bring the videos of a dataset version onto the sampling grid: frames or frozen features."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from prismata.catalog import DatasetVersionRecord, Split, VideoRecord
from prismata.core.child import ChildReporter
from prismata.core.coverage import unknown_spans
from prismata.core.events import Event
from prismata.core.recipes import ClipSpec
from prismata.core.targets import build_targets, choose_dilation
from prismata.core.time import to_us
from prismata.detection.arrays import ArrayCache, VideoSource
from prismata.detection.runtimes import OnnxEncoder
from prismata.domains import Domain
from prismata.services.workbench import Workbench
from prismata.training.data import LabelledVideo
from prismata.training.recipe import Recipe
from prismata.worker.train.encoder_setup import EncoderSetup

_FLOAT32_BYTES = 4
_MARGIN = 1.1


@dataclass(frozen=True, slots=True)
class GatheredData:
    """Labelled videos by split; a video's name is its catalog id."""

    videos: dict[Split, list[LabelledVideo]]
    records: dict[str, VideoRecord]


def gather(
    bench: Workbench,
    dataset: DatasetVersionRecord,
    domain: Domain,
    clip: ClipSpec,
    recipe: Recipe,
    setup: EncoderSetup,
    reporter: ChildReporter,
    *,
    splits: Sequence[Split] = ("train", "val", "test"),
) -> GatheredData:
    """Decode (and, with a frozen encoder, encode) every sampled frame once; cached on disk.

    Only the videos of `splits` are returned.

    Raises:
        NotFoundError: If a video of the version is gone.
        BadVideoError: If one cannot be decoded.
    """
    encoder = None
    if setup.frozen_path is not None:
        encoder = OnnxEncoder(setup.frozen_path, width=clip.width, height=clip.height)
    records = {video_id: bench.catalog.videos.get(video_id) for video_id in dataset.video_splits}
    total = sum(record.duration_us for record in records.values())
    feature_size = encoder.feature_size if encoder is not None else 0
    samples = clip.target_fps * total / 1e6 + len(records)
    # However small the cache is to be: what this run needs has to stay until it ends.
    needed = round(samples * feature_size * _FLOAT32_BYTES * _MARGIN)
    bound = bench.settings.feature_cache_bytes
    cache = ArrayCache(bench.settings.cache_dir, feature_bytes=max(bound, needed))
    done = 0
    targets_of = _targets(dataset, domain, clip, recipe, records)
    gathered: dict[Split, list[LabelledVideo]] = {"train": [], "val": [], "test": []}
    note = "encoding frames" if encoder else "reading frames"
    # By content and not by id: the same videos teach the same model in every library.
    for video_id in sorted(dataset.video_splits, key=lambda key: (records[key].sha256, key)):
        if dataset.video_splits[video_id] not in splits:
            continue
        record = records[video_id]
        timeline = bench.timeline(record)
        step = _share_of(reporter, done, record.duration_us, total, note)
        with bench.storage.local_copy(record.storage_key) as path:
            source = VideoSource(path, record.sha256, timeline)
            if encoder is not None:
                inputs: np.ndarray = cache.features(
                    source,
                    encoder,
                    encoder_sha256=setup.frozen_sha256,
                    target_fps=clip.target_fps,
                    on_progress=step,
                )
            else:
                inputs = cache.frames(
                    source,
                    target_fps=clip.target_fps,
                    size=(clip.width, clip.height),
                    on_progress=step,
                )
        done += record.duration_us
        events = _events(dataset, video_id, rejected=False)
        times = timeline.sample(clip.target_fps).times_us
        known = dataset.known.get(video_id)
        unknown = () if known is None else unknown_spans(known, duration_us=timeline.duration_us)
        gathered[dataset.video_splits[video_id]].append(
            LabelledVideo(
                video_id,
                times,
                inputs,
                *targets_of(video_id, times),
                tuple(events),
                timeline.duration_us,
                unknown,
            )
        )
    return GatheredData(gathered, records)


def relabelled(
    data: GatheredData,
    dataset: DatasetVersionRecord,
    domain: Domain,
    clip: ClipSpec,
    recipe: Recipe,
) -> GatheredData:
    """Return the same videos with what another recipe calls true at each sample."""
    targets_of = _targets(dataset, domain, clip, recipe, data.records)
    videos: dict[Split, list[LabelledVideo]] = {}
    for split, gathered in data.videos.items():
        videos[split] = []
        for video in gathered:
            targets, weights = targets_of(video.name, video.times_us)
            videos[split].append(replace(video, targets=targets, weights=weights))
    return GatheredData(videos, data.records)


_Targets = Callable[[str, NDArray[np.int64]], tuple[NDArray[np.float32], NDArray[np.float32]]]


def _targets(
    dataset: DatasetVersionRecord,
    domain: Domain,
    clip: ClipSpec,
    recipe: Recipe,
    records: Mapping[str, VideoRecord],
) -> _Targets:
    """Return what gives the targets and weights of a video, by its id and its instants."""
    total = sum(record.duration_us for record in records.values())
    samples = clip.target_fps * total / 1e6 + len(records)
    dilation = choose_dilation(
        recipe.architecture, recipe.dilation, events=len(dataset.content), samples=round(samples)
    )

    def targets_of(
        video_id: str, times_us: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return build_targets(
            times_us,
            _events(dataset, video_id, rejected=False),
            domain.event_types,
            rejected=_events(dataset, video_id, rejected=True),
            tolerance_us=to_us(domain.tolerance_seconds),
            dilation=dilation,
            known=dataset.known.get(video_id),
        )

    return targets_of


def _events(dataset: DatasetVersionRecord, video_id: str, *, rejected: bool) -> list[Event]:
    return [
        event
        for owner, event, state in dataset.content
        if owner == video_id and (state == "rejected") is rejected
    ]


def _share_of(
    reporter: ChildReporter, before: int, mine: int, total: int, note: str
) -> Callable[[int, int], None]:
    def on_progress(done: int, of: int) -> None:
        reporter.progress(before + mine * done / max(1, of), total, note)

    return on_progress
