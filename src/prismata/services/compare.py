"""Two models on the same videos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prismata.catalog import VideoRecord
from prismata.core.errors import InvalidInputError
from prismata.evaluation.comparison import PrecisionDifference, compare_precision
from prismata.services.evaluate import Evaluation, candidates_of, evaluate_model
from prismata.services.workbench import Workbench


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two models are worth on the same videos, and what lies between them."""

    first: Evaluation
    second: Evaluation
    points: PrecisionDifference | None
    """None if they know no point event."""
    segments: PrecisionDifference | None


def compare_models(
    bench: Workbench, first: str, second: str, videos: Sequence[VideoRecord]
) -> Comparison:
    """Compare the newest finished runs of two models of one domain.

    Raises:
        NotFoundError: If a model has not been run on one of the videos.
        InvalidInputError: If they find different events, or cannot be evaluated.
    """
    models = [bench.catalog.models.find(name) for name in (first, second)]
    types = [[(item["name"], item["kind"]) for item in m.card["event_types"]] for m in models]
    if types[0] != types[1]:
        known = [", ".join(name for name, _ in each) for each in types]
        raise InvalidInputError(
            f"{models[0].name!r} finds {known[0]} and {models[1].name!r} finds {known[1]}; only "
            "models that know the same event types can be compared"
        )
    one, other = (evaluate_model(bench, model.id, videos) for model in models)
    points, segments = (
        compare_precision(
            {item.video.name: item.truth for item in one.videos},
            candidates_of(one),
            candidates_of(other),
            one.card.event_types,
            kind,
            ignored={item.video.name: item.unknown for item in one.videos},
            videos=one.report.videos,
            protocol=one.report.protocol,
        )
        for kind in ("point", "segment")
    )
    return Comparison(one, other, points, segments)


def metric_rows(comparison: Comparison) -> list[tuple[str, str, str, str]]:
    """Return event, figure and what either model reaches, for people."""
    rows = []
    for one, other in zip(
        comparison.first.report.to_table(), comparison.second.report.to_table(), strict=True
    ):
        kept = [name for name in one if name not in ("Event", "Kind")]
        rows += [(one["Event"], name, one[name], other[name]) for name in kept]
    return rows


def difference_sentences(comparison: Comparison) -> list[str]:
    """Say for each kind of events how much better the second model is, and how sure that is."""
    names = comparison.first.model.name, comparison.second.model.name
    return [
        _difference_sentence(found, *names)
        for found in (comparison.points, comparison.segments)
        if found is not None and found.difference is not None
    ]


def _difference_sentence(difference: PrecisionDifference, first: str, second: str) -> str:
    line = (
        f"mAP {difference.kind}s {difference.first:.3f} → {difference.second:.3f} "
        f"({difference.difference:+.3f}"
    )
    if difference.interval is None:
        return f"{line}; too few videos to say how sure that is)"
    low, high = difference.interval
    better = second if (difference.difference or 0) > 0 else first
    sure = f"{better} is better" if difference.is_certain else "which one is better is not certain"
    return f"{line}, 95 % interval {low:+.3f} to {high:+.3f}): {sure}"
