"""One training run, start to published model."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from prismata._version import __version__
from prismata.catalog import DatasetVersionRecord, TrainingRunRecord
from prismata.core.architectures import find_architecture
from prismata.core.child import EXIT_STOPPED, ChildReporter, asked_to_stop
from prismata.core.jobs import JobLease
from prismata.core.machine import usable_cores
from prismata.core.modelcard import ModelCard
from prismata.core.recipes import ClipSpec
from prismata.detection.arrays import ArrayCache, VideoSource
from prismata.detection.bundle import CHECKPOINT_FILE, ENCODER_FILE
from prismata.domains import Domain
from prismata.services.train import result_of_training, training_folder
from prismata.services.workbench import Workbench
from prismata.settings import Settings
from prismata.training.checkpoint import how_far
from prismata.training.encoders import build_encoder
from prismata.training.heads import build_head
from prismata.training.loop import (
    Step,
    Trained,
    TrainingInterruptedError,
    TrainingTask,
    train,
)
from prismata.training.model import Detector
from prismata.training.ranks import ALONE, Ranks, fewer
from prismata.training.recipe import Recipe
from prismata.wiring import open_workbench
from prismata.worker.train.assess import Quality, assess
from prismata.worker.train.encoder_setup import Encode, EncoderSetup, set_up_encoder
from prismata.worker.train.finishing import Finishing
from prismata.worker.train.gather import GatheredData, gather
from prismata.worker.train.mining import with_hard_negatives
from prismata.worker.train.parity import CHECK_SAMPLES, CheckClip
from prismata.worker.train.publish import CARD_DRAFT_FILE, CHECK_FILE, Origin, publish
from prismata.worker.train.scope import learnable

UPLOAD_EVERY_SECONDS = 30.0
_NO_SETUP = EncoderSetup(None, None, "", None, "", None)


def run_training(
    request: dict[str, Any], reporter: ChildReporter, ranks: Ranks = ALONE
) -> dict[str, Any]:
    """Train, choose thresholds, export, check, publish; return what the job keeps.

    Request: `run_id` of a training run in the catalog, `model_name`, `resume_from`, the storage key
    of an interrupted attempt's checkpoint (or empty), `resume_run`, the id of an earlier run that
    this one goes on with (or empty), and `lease`, what shows that this attempt may still write.

    All `ranks` call this with the same request. The first one does everything but the others' share
    of the steps, and they return when there are no more.
    """
    with open_workbench(Settings(**request["settings"])) as bench, ExitStack() as stack:
        run = _Run(bench, request, reporter, stack)
        needed = fewer(ranks, run.rows_in_a_step)
        if needed is None:
            return {}
        run.ranks = needed
        if not needed.is_first:
            run.take_part()
            return {}
        return run.execute()


def recipe_for(domain: Domain, chosen: Mapping[str, Any]) -> Recipe:
    """Return the recipe of a run: what a person chose, then the domain's word, then defaults."""
    own: dict[str, Any] = {"flip": not domain.left_right_matters}
    if domain.emphasis in ("points", "segments"):
        own["emphasis"] = domain.emphasis
    return Recipe.resolved({**own, **chosen})


def _take_over(earlier: Path, checkpoint: Path) -> None:
    """Put another run's checkpoint here if it lies on this machine and has come further."""
    if earlier.is_file():
        copy = checkpoint.with_suffix(".copied")
        shutil.copyfile(earlier, copy)
        _use_if_further(copy, checkpoint)


def _use_if_further(copy: Path, checkpoint: Path) -> None:
    """Put a copy in the checkpoint's place if it has come further; else remove it."""
    if how_far(copy) > how_far(checkpoint):
        copy.replace(checkpoint)
    else:
        copy.unlink()


def clip_for(domain: Domain, recipe: Recipe, chosen: Mapping[str, Any]) -> ClipSpec:
    """Return how videos are sampled: what a person chose, then the architecture's, the domain's."""
    return domain.clip.changed(find_architecture(recipe.architecture).clip).changed(chosen)


def new_detector(recipe: Recipe, setup: EncoderSetup, domain: Domain, clip: ClipSpec) -> Detector:
    """Return the detector that a training begins with, where it is trained."""
    assert setup.feature_size is not None  # noqa: S101 - both ways of set-up know it
    # torch sees the host's cores under a container's quota, but it knows OMP_NUM_THREADS.
    torch.set_num_threads(min(usable_cores(), torch.get_num_threads()))
    torch.manual_seed(recipe.seed)
    head = build_head(recipe.architecture, setup.feature_size, len(domain.event_types), recipe.head)
    detector = Detector(setup.trainable, head, clip.num_frames)
    return detector.to("cuda" if torch.cuda.is_available() else "cpu")


def training_task(
    dataset: DatasetVersionRecord,
    domain: Domain,
    clip: ClipSpec,
    recipe: Recipe,
    setup: EncoderSetup,
) -> TrainingTask:
    """Return what is to be learned, tied to its data by their digest."""
    parts = [dataset.digest, asdict(clip), setup.frozen_sha256]
    return TrainingTask(
        event_types=domain.event_types,
        rules=domain.rules,
        num_frames=clip.num_frames,
        recipe=recipe,
        data_digest=hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest(),
        window_stride=clip.window_stride,
    )


def take_newer_checkpoint(bench: Workbench, key: str, checkpoint: Path) -> None:
    """Put the copy in storage here, unless what lies here of this training has come further.

    What lies here is newer after a kill, as it is copied less often than written; it is older if an
    attempt on another machine came between.

    Raises:
        NotFoundError: If there is no copy.
    """
    copy = checkpoint.with_suffix(".stored")
    copy.write_bytes(bench.storage.get(key, max_bytes=4 * 1024**3))
    _use_if_further(copy, checkpoint)


class _Run:
    """The state that the steps of one run share."""

    def __init__(
        self,
        bench: Workbench,
        request: dict[str, Any],
        reporter: ChildReporter,
        stack: ExitStack,
    ) -> None:
        self.bench = bench
        self.reporter = reporter
        self.stack = stack
        self.model_name = str(request["model_name"])
        self.resume_from = str(request.get("resume_from") or "")
        self.resume_run = str(request.get("resume_run") or "")
        lease = request.get("lease")
        self.lease = None if lease is None else JobLease(lease["job_id"], lease["token"])
        self.record: TrainingRunRecord = bench.catalog.runs.get(request["run_id"])
        scope = learnable(
            bench.domain(self.record.domain),
            bench.catalog.datasets.get(self.record.dataset_version_id),
        )
        self.dataset: DatasetVersionRecord = scope.dataset
        self.domain: Domain = scope.domain
        self.scope_note = scope.note
        self.recipe = recipe_for(self.domain, self.record.recipe["training"])
        self.architecture = find_architecture(self.recipe.architecture)
        self.clip = clip_for(self.domain, self.recipe, self.record.recipe.get("clip", {}))
        self.prefix = f"checkpoints/{self.record.name}/"
        self.folder = training_folder(bench, self.record.id)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ranks = ALONE

    @property
    def rows_in_a_step(self) -> int:
        """Windows or stretches, which is what ranks share."""
        is_windows = self.recipe.frozen and self.architecture.scores == "centre"
        return self.recipe.batch_windows if is_windows else self.recipe.batch_chunks

    def take_part(self) -> None:
        """Do one of the other ranks' share of the steps, on what the first one has prepared."""
        setup = self.ranks.from_first(_NO_SETUP)
        if not self.recipe.frozen:
            # The first one's weights come when training begins.
            setup = replace(setup, trainable=build_encoder(self.recipe.encoder))
        data = gather(
            self.bench,
            self.dataset,
            self.domain,
            self.clip,
            self.recipe,
            setup,
            self.reporter,
            splits=("train",),
        )
        detector = new_detector(self.recipe, setup, self.domain, self.clip)
        task = training_task(self.dataset, self.domain, self.clip, self.recipe, setup)
        checkpoint = self.folder / CHECKPOINT_FILE
        self.ranks.from_first(None)
        # What the first one has mined lies in storage by now.
        data, _ = with_hard_negatives(self.bench, detector, task, data, self.prefix, self.reporter)
        with contextlib.suppress(TrainingInterruptedError), asked_to_stop():
            train(
                detector,
                task,
                data.videos["train"],
                [],
                checkpoint_path=checkpoint,
                ranks=self.ranks,
            )

    def execute(self) -> dict[str, Any]:
        """Do all steps in order."""
        started = time.perf_counter()
        setup = set_up_encoder(self.bench, self.recipe, self.clip, self.folder, self.stack)
        data = gather(
            self.bench, self.dataset, self.domain, self.clip, self.recipe, setup, self.reporter
        )
        self.ranks.from_first(replace(setup, trainable=None, reference=None))
        gathered = time.perf_counter()
        detector = new_detector(self.recipe, setup, self.domain, self.clip)
        task = training_task(self.dataset, self.domain, self.clip, self.recipe, setup)
        data, mined = with_hard_negatives(
            self.bench, detector, task, data, self.prefix, self.reporter
        )
        trained = self._train(detector, task, data)
        quality = self._assess(trained, data)
        card = self._draft_card(trained, data, setup, quality, mined)
        check = self._check_clip(data)
        self._store_checkpoint_files(card, check, setup)
        self.reporter.progress(0, 1, "exporting and checking")
        encode: Encode = setup.reference or trained.detector.encode
        model, published = publish(
            self.bench,
            trained.detector,
            card,
            encode=encode,
            check=check,
            frozen_encoder=setup.frozen_path,
            origin=Origin(self.record.id, self.lease),
            finish=Finishing(self.bench, data, self.recipe, self.reporter).finish,
        )
        self.reporter.progress(1, 1, "exporting and checking")
        seconds = {
            "gather_s": round(gathered - started, 2),
            "train_s": round(trained.train_seconds, 2),
            "total_s": round(time.perf_counter() - started, 2),
        }
        run = self.bench.catalog.runs.finish(
            self.record.id,
            metrics={
                **published.metrics,
                "seconds": seconds,
                "chosen_on": quality.chosen_on,
                "curves": quality.curves,
                "mistakes": [item.to_dict() for item in quality.mistakes],
            },
            checkpoint_key=self.prefix + CHECKPOINT_FILE,
            lease=self.lease,
        )
        return result_of_training(run, model)

    def _train(self, detector: Detector, task: TrainingTask, data: GatheredData) -> Trained:
        times = "" if self.ranks.is_alone else f" in {self.ranks.count} processes"
        self.reporter.started(
            runtime=f"pytorch {torch.__version__} · {detector.device.type}{times}",
            videos={split: len(videos) for split, videos in data.videos.items()},
        )
        checkpoint = self.folder / CHECKPOINT_FILE
        if self.resume_run:
            _take_over(training_folder(self.bench, self.resume_run) / CHECKPOINT_FILE, checkpoint)
        if self.resume_from:
            take_newer_checkpoint(self.bench, self.resume_from, checkpoint)
        self.ranks.from_first(None)  # it lies there for everybody now
        try:
            with asked_to_stop() as stop:
                return train(
                    detector,
                    task,
                    data.videos["train"],
                    data.videos["val"],
                    checkpoint_path=checkpoint,
                    on_epoch=self._epoch_reporter(checkpoint),
                    on_step=self._report_step,
                    is_to_stop=stop.is_set,
                    ranks=self.ranks,
                )
        except TrainingInterruptedError:
            key = self.prefix + CHECKPOINT_FILE
            self.bench.storage.put_file(key, checkpoint)
            self.bench.catalog.runs.keep_checkpoint(self.record.id, key, lease=self.lease)
            raise SystemExit(EXIT_STOPPED) from None

    def _report_step(self, step: Step) -> None:
        self.reporter.progress(step.epoch, self.recipe.epochs, "training")

    def _epoch_reporter(self, checkpoint: Path) -> Callable[[int, int, dict[str, Any]], None]:
        last_upload = time.monotonic()

        def on_epoch(epoch: int, epochs: int, row: dict[str, Any]) -> None:
            nonlocal last_upload
            key = ""
            if time.monotonic() - last_upload >= UPLOAD_EVERY_SECONDS or epoch == epochs:
                key = self.prefix + CHECKPOINT_FILE
                self.bench.storage.put_file(key, checkpoint)
                last_upload = time.monotonic()
            self.bench.catalog.runs.add_epoch(
                self.record.id, row, checkpoint_key=key, lease=self.lease
            )
            self.reporter.progress(epoch, epochs, "training")
            self.reporter.event({"kind": "epoch", **row})

        return on_epoch

    def _assess(self, trained: Trained, data: GatheredData) -> Quality:
        self.reporter.progress(0, 1, "choosing thresholds")
        quality = assess(trained.detector, data.videos, self.domain, stride=self.clip.window_stride)
        self.reporter.progress(1, 1, "choosing thresholds")
        return quality

    def _draft_card(
        self,
        trained: Trained,
        data: GatheredData,
        setup: EncoderSetup,
        quality: Quality,
        mined: dict[str, Any],
    ) -> ModelCard:
        block = 1 if setup.trainable is None else setup.trainable.block
        return ModelCard(
            name=self.model_name,
            domain=self.domain.name,
            domain_version=self.domain.version,
            event_types=self.domain.event_types,
            clip=self.clip,
            rules=quality.rules,
            architecture=self.architecture.name,
            scores=self.architecture.scores,
            encoder=self.recipe.encoder,
            encoder_frozen=self.recipe.frozen,
            encoder_block=block,
            feature_size=trained.detector.head.feature_size,
            weights_origin=setup.origin,
            dataset_version=self.dataset.name,
            replays=self.dataset.replays,
            training={
                "recipe": self.recipe.to_dict(),
                "epochs": len(trained.history),
                "best_epoch": trained.best_epoch + 1,
                "best_val_score": trained.best_score,
                "train_seconds": round(trained.train_seconds, 2),
                "processes": self.ranks.count,
                "videos": {split: len(videos) for split, videos in data.videos.items()},
                "hard_negatives": mined,
                "thresholds_chosen_on": quality.chosen_on,
                "notes": [*([self.scope_note] if self.scope_note else []), *quality.notes],
                "torch": torch.__version__,
                "prismata": __version__,
                "machine": f"{platform.system()} {platform.machine()}",
            },
            metrics=quality.metrics,
            calibration=quality.calibration,
            # A gate would tear the neighbours of a block apart.
            motion_gate=self.domain.motion_gate if block == 1 else None,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def _check_clip(self, data: GatheredData) -> CheckClip:
        """Cut a stretch around the first event of a validation (or training) video."""
        videos = data.videos["val"] + data.videos["train"]
        video = next((item for item in videos if item.events), videos[0])
        record = data.records[video.name]
        first_event = min((event.start_us for event in video.events), default=0)
        start = max(0, int(np.searchsorted(video.times_us, first_event)) - CHECK_SAMPLES // 3)
        rows = slice(start, start + CHECK_SAMPLES)
        times = video.times_us[rows]
        if video.inputs.ndim == 4:
            frames = np.array(video.inputs[rows], dtype=np.uint8)
        else:
            with self.bench.storage.local_copy(record.storage_key) as path:
                source = VideoSource(path, record.sha256, self.bench.timeline(record))
                frames = np.array(
                    ArrayCache(self.bench.settings.cache_dir).frames(
                        source,
                        target_fps=self.clip.target_fps,
                        size=(self.clip.width, self.clip.height),
                    )[rows]
                )
        step = int(times[-1] - times[-2]) if len(times) > 1 else 1
        return CheckClip(frames, times - times[0], int(times[-1] - times[0]) + step)

    def _store_checkpoint_files(
        self, card: ModelCard, check: CheckClip, setup: EncoderSetup
    ) -> None:
        """Keep what a later export needs beside the weights."""
        check_path = self.folder / CHECK_FILE
        check.save(check_path)
        storage = self.bench.storage
        storage.put_file(self.prefix + CHECKPOINT_FILE, self.folder / CHECKPOINT_FILE)
        storage.put_file(self.prefix + CHECK_FILE, check_path)
        storage.put(self.prefix + CARD_DRAFT_FILE, card.to_json().encode())
        if setup.frozen_path is not None:
            storage.put_file(self.prefix + ENCODER_FILE, setup.frozen_path)
