"""The export gate: the exported bundle must agree with the trained model on a stored check clip."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from prismata.core.errors import ExportRefusedError, InvalidInputError
from prismata.core.events import Event
from prismata.core.modelcard import ModelCard
from prismata.core.scores import ScoreTrack
from prismata.detection.bundle import LoadedModel
from prismata.detection.scorers import BundleScorer, ForeignScorer, Scorer
from prismata.postprocess import build_track, group_events
from prismata.training.export import max_difference
from prismata.training.model import Detector
from prismata.worker.train.encoder_setup import Encode

MAX_SCORE_DIFFERENCE = 1e-4
"""Ten thousand times what float32 rounding causes is still far below what moves an event."""

EVENT_SLACK_US = 1000
"""Event boundaries are interpolated between samples, so rounding may move them; a millisecond is
far below one frame."""

CHECK_SAMPLES = 96


@dataclass(frozen=True, slots=True, eq=False)
class CheckClip:
    """A stretch of real video on which trained and exported model are compared."""

    frames: NDArray[np.uint8]
    """`(K, H, W, 3)`."""
    times_us: NDArray[np.int64]
    duration_us: int

    def save(self, path: Path) -> None:
        """Write as `.npz`."""
        np.savez_compressed(
            path, frames=self.frames, times_us=self.times_us, duration_us=self.duration_us
        )

    @classmethod
    def load(cls, path: Path) -> CheckClip:
        """Read what `save` wrote.

        Raises:
            InvalidInputError: If it is not a check clip.
        """
        try:
            # numpy leaves a file that it opened itself open when it turns out to be no archive.
            with path.open("rb") as source, np.load(source, allow_pickle=False) as data:
                return cls(data["frames"], data["times_us"], int(data["duration_us"]))
        except (OSError, KeyError, ValueError, EOFError, BadZipFile) as error:
            raise InvalidInputError(f"{path.name} is not a check clip: {error}") from error


def compare(
    detector: Detector, encode: Encode, model: LoadedModel, clip: CheckClip
) -> dict[str, Any]:
    """Run both models over the clip and return the comparison for the card.

    Args:
        detector: The trained head (and encoder, unless frozen).
        encode: The trained or published encoder, run outside ONNX export.
        model: The exported bundle, as production loads it.
        clip: The stored check clip.

    Raises:
        ExportRefusedError: If scores or events differ.
    """
    trained = _trained_track(detector, encode, model.card, clip)
    exported = _track(BundleScorer(model), model.card, clip)
    difference = max_difference(trained.scores, exported.scores)
    if difference > MAX_SCORE_DIFFERENCE:
        raise ExportRefusedError(
            f"the exported model is not the trained one: scores on the check clip differ by up to "
            f"{difference:.2e}, allowed is {MAX_SCORE_DIFFERENCE:.0e}; nothing was published"
        )
    left, right = (_group(track, model.card, clip) for track in (trained, exported))
    if not _same_events(left, right):
        raise ExportRefusedError(
            f"the exported model finds {len(right)} events on the check clip, the trained one "
            f"{len(left)}, or at other times; nothing was published"
        )
    return {
        "max_score_difference": difference,
        "allowed_score_difference": MAX_SCORE_DIFFERENCE,
        "check_samples": len(clip.times_us),
        "events_trained": len(left),
        "events_exported": len(right),
        "events_slack_us": EVENT_SLACK_US,
        "runtime": model.runtime.describe(),
    }


def compare_shapes(detector: Detector, model: LoadedModel) -> list[list[int]]:
    """Run trained and exported head on numbers of windows other than the exporter saw.

    A dense head gets other lengths of windows, too: exporters have frozen the time axis of
    recurrent layers without a word, and then only the example's shape is right.

    Returns:
        The shapes `[windows, samples]` that were compared.

    Raises:
        ExportRefusedError: If scores differ, or the exported head cannot take a shape.
    """
    samples = detector.num_frames
    shapes = [[1, samples], [3, samples], [7, samples]]
    if detector.is_dense:
        shapes += [[1, 1], [2, samples // 2 + 1], [3, 2 * samples]]
    rng = np.random.default_rng(0)
    for windows, length in shapes:
        size = (windows, length, detector.head.feature_size)
        features = rng.normal(size=size).astype(np.float32)
        trained = detector.score(features)
        try:
            exported = model.head.score(features)
        except Exception as error:  # the runtime's own classes, which are not ours to name
            raise ExportRefusedError(
                f"the exported head cannot take {windows} windows of {length} samples: {error}; "
                "nothing was published"
            ) from error
        same_shape = exported.shape == trained.shape
        difference = max_difference(trained, exported) if same_shape else math.inf
        if difference > MAX_SCORE_DIFFERENCE:
            raise ExportRefusedError(
                f"the exported head is not the trained one on {windows} windows of {length} "
                f"samples: scores differ by up to {difference:.2e}, allowed is "
                f"{MAX_SCORE_DIFFERENCE:.0e}; nothing was published"
            )
    return shapes


def compare_classic(
    detector: Detector, encode: Encode, path: Path, card: ModelCard, clip: CheckClip
) -> float:
    """Return the largest difference of the single-file classic on the check clip.

    Raises:
        ExportRefusedError: If scores differ.
    """
    trained = _trained_track(detector, encode, card, clip)
    scorer = ForeignScorer(path, card)
    exported = _track(scorer, card, clip)
    difference = max_difference(trained.scores, exported.scores)
    if difference > MAX_SCORE_DIFFERENCE:
        raise ExportRefusedError(
            f"the single-file classic is not the trained model: scores on the check clip differ by "
            f"up to {difference:.2e}, allowed is {MAX_SCORE_DIFFERENCE:.0e}; nothing was written"
        )
    return difference


def _trained_track(
    detector: Detector, encode: Encode, card: ModelCard, clip: CheckClip
) -> ScoreTrack:
    step = max(8, card.encoder_block)
    features = np.concatenate(
        [encode(clip.frames[i : i + step]) for i in range(0, len(clip.frames), step)]
    )
    return detector.score_video(
        features, clip.times_us, card.event_names, stride=card.clip.window_stride
    )


def _track(scorer: Scorer, card: ModelCard, clip: CheckClip) -> ScoreTrack:
    """Score the clip the way production does: batches through a streaming scorer."""
    parts = [
        scorer.push(clip.frames[i : i + 8], [1] * len(clip.frames[i : i + 8]))
        for i in range(0, len(clip.frames), 8)
    ]
    parts.append(scorer.finish())
    return build_track(
        clip.times_us,
        np.concatenate([part.samples for part in parts]),
        np.concatenate([part.scores for part in parts]),
        card.event_names,
    )


def _group(track: ScoreTrack, card: ModelCard, clip: CheckClip) -> list[Event]:
    return group_events(track, card.event_types, card.rules, duration_us=clip.duration_us)


def _same_events(left: list[Event], right: list[Event]) -> bool:
    return len(left) == len(right) and all(
        a.event_type == b.event_type
        and abs(a.start_us - b.start_us) <= EVENT_SLACK_US
        and abs(a.end_us - b.end_us) <= EVENT_SLACK_US
        for a, b in zip(left, right, strict=True)
    )
