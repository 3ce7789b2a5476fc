"""The HTML report of an evaluation, and the same figures for a program."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

from prismata.core.modelcard import ModelCard
from prismata.core.replays import replays_in_data
from prismata.core.time import to_seconds
from prismata.domains import ReportVideo, derive_events
from prismata.evaluation.html_report import ReportData, render_report
from prismata.evaluation.report import format_percent
from prismata.evaluation.timeline_svg import VideoPicture
from prismata.services.evaluate import Evaluation
from prismata.services.models import motion_beside, motion_remark
from prismata.services.own_sections import own_sections


def write_report(evaluation: Evaluation, path: Path, *, title: str = "") -> None:
    """Write one self-contained HTML page: metrics, timelines, events, provenance.

    Raises:
        OSError: If the file cannot be written.
    """
    card = evaluation.card
    render_report(
        ReportData(
            title=title or f"{card.name} on {len(evaluation.videos)} videos",
            report=evaluation.report,
            event_types=card.event_types,
            videos=tuple(
                VideoPicture(
                    item.video.name,
                    item.video.name,
                    item.video.duration_us,
                    tuple(item.truth),
                    tuple(item.detections),
                    item.track,
                    item.unknown,
                )
                for item in evaluation.videos
            ),
            thresholds={name: rule.threshold for name, rule in card.rules.items()},
            provenance=_provenance(evaluation),
            calibration=card.calibration,
            baselines=_baselines(card),
            emphasis=evaluation.domain.emphasis if evaluation.domain else "",
            sections=own_sections(evaluation.domain, _facts(evaluation)),
        ),
        path,
    )


def evaluation_dict(evaluation: Evaluation) -> dict[str, Any]:
    """Return an evaluation as plain JSON values."""
    return {
        "model": evaluation.model.name,
        "videos": [item.video.name for item in evaluation.videos],
        "thresholds": {name: rule.threshold for name, rule in evaluation.card.rules.items()},
        "report": evaluation.report.to_dict(),
    }


def _facts(evaluation: Evaluation) -> list[ReportVideo]:
    """Return what the domain's own section is made from: what was found as the model found it."""
    domain = evaluation.domain
    return [
        ReportVideo(
            item.video.name,
            item.video.duration_us,
            tuple(sorted(item.detections)),
            derive_events(domain, item.detections, item.track).events if domain else (),
            tuple(sorted(item.truth)),
        )
        for item in evaluation.videos
    ]


def _baselines(card: ModelCard) -> tuple[str, ...]:
    """Say what motion alone reached when the model was made; a report sees no frames itself."""
    val = card.metrics.get("val") or {}
    sentences = []
    for kind, title in (("points", "instants"), ("segments", "stretches")):
        found, mean = motion_beside(val, kind), val.get(kind)
        if found is not None and mean:
            model, chance = (format_percent(mean[name]) for name in ("mean", "chance"))
            sentences.append(
                f"Motion alone reaches a mean average precision of {format_percent(found[0])} for "
                f"{title} on the validation videos of the training{found[1]}; the model reached "
                f"{model} there, and chance {chance}."
            )
    remark = motion_remark(val)
    return (*sentences, *([remark] if remark else []))


def _provenance(evaluation: Evaluation) -> dict[str, str]:
    card, videos = evaluation.card, evaluation.videos
    runs = [item.run for item in videos]
    peaks = [run.peak_rss_mb for run in runs if run.peak_rss_mb]
    wall = [run.wall_seconds for run in runs if run.wall_seconds is not None]
    facts = {
        "Model": card.name,
        "Domain": f"{card.domain} (version {card.domain_version})",
        "Architecture": f"{card.architecture}, encoder {card.encoder}"
        + (" (frozen)" if card.encoder_frozen else " (trained)"),
        "Encoder weights": card.weights_origin,
        "Dataset version": card.dataset_version or "not trained here",
        "Replays in the data": replays_in_data(card.replays) if card.dataset_version else "",
        "Runtime": runs[0].runtime if runs else "",
        "Video length": f"{sum(to_seconds(item.video.duration_us) for item in videos):.1f} s",
        "Detection time": f"{sum(wall):.1f} s" if wall else "",
        "Peak memory of the detection child": f"{max(peaks):.0f} MB" if peaks else "",
        "Machine": f"{platform.system()} {platform.machine()}",
        "Detected": f"{max(run.created_at for run in runs):%Y-%m-%d %H:%M} UTC" if runs else "",
    }
    return {name: value for name, value in facts.items() if value}
