"""Models: list, promote, export to a folder, and take in models made elsewhere."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from prismata.catalog import JobRecord, ModelRecord
from prismata.core.errors import ConflictError, InvalidInputError, NotFoundError
from prismata.core.modelcard import ModelCard
from prismata.core.ports import Assignment, ChildLimits, MessageHandler
from prismata.core.replays import replays_in_data
from prismata.evaluation import confidence_of
from prismata.services.train import TRAIN_CHILD
from prismata.services.workbench import Workbench

Normalization = Literal["imagenet", "unit", "none"]
FOREIGN_FILE = "model.onnx"
TOLD_SCORE = 0.8
"""The score whose meaning is told as an example; a lower one if the model never says it."""


@dataclass(frozen=True, slots=True)
class ForeignModel:
    """A classic single-file `.onnx` made elsewhere, and how it is to be run."""

    path: Path
    domain: str
    name: str = ""
    normalization: Normalization = "imagenet"
    clip: dict[str, Any] | None = None
    """Settings of `ClipSpec` that differ from the domain's."""


def add_foreign_model(bench: Workbench, foreign: ForeignModel) -> ModelRecord:
    """Store a classic `.onnx` and register it; its shape is checked when it first runs.

    Raises:
        NotFoundError: If the file or the domain does not exist.
        ConflictError: If the name is taken.
    """
    domain = bench.domain(foreign.domain)
    if not foreign.path.is_file():
        raise NotFoundError(f"there is no model file {str(foreign.path)!r}")
    if foreign.path.suffix.lower() != ".onnx":
        raise InvalidInputError(
            f"{foreign.path.name} is not an .onnx file; export the model to ONNX first"
        )
    clip = domain.clip.changed(foreign.clip or {})
    name = foreign.name or bench.catalog.models.next_name(f"{domain.name}-foreign")
    card = ModelCard(
        name=name,
        domain=domain.name,
        domain_version=domain.version,
        event_types=domain.event_types,
        clip=clip,
        rules=domain.rules,
        architecture="foreign",
        encoder="unknown",
        encoder_frozen=True,
        feature_size=0,
        weights_origin=f"file {foreign.path.name}",
        training={"normalization": foreign.normalization},
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    if any(model.name == name for model in bench.catalog.models.list()):
        raise ConflictError(f"there is a model {name!r} already; choose another --name")
    prefix = f"models/{name}/"
    bench.storage.put_file(prefix + FOREIGN_FILE, foreign.path, if_absent=True)
    return bench.catalog.models.add(
        name=name,
        domain=domain.name,
        domain_version=domain.version,
        bundle_key=prefix,
        kind="foreign_onnx",
        card=json.loads(card.to_json()),
    )


def add_checkpoint_model(bench: Workbench, run_name: str, *, name: str = "") -> ModelRecord:
    """Register a training run's checkpoint as a model that PyTorch runs, without any export.

    Raises:
        NotFoundError: If there is no such run, or it has no complete checkpoint.
        ConflictError: If the name is taken.
    """
    run = bench.catalog.runs.find(run_name)
    prefix = f"checkpoints/{run.name}/"
    if not bench.storage.exists(f"{prefix}card.json"):
        raise NotFoundError(
            f"the training run {run.name!r} has no complete checkpoint; resume it with "
            f"`prismata train --resume {run.name}`"
        )
    card = json.loads(bench.storage.get(f"{prefix}card.json"))
    chosen = name or bench.catalog.models.next_name(f"{run.domain}-checkpoint")
    return bench.catalog.models.add(
        name=chosen,
        domain=run.domain,
        domain_version=card["domain_version"],
        bundle_key=prefix,
        kind="checkpoint",
        card={**card, "name": chosen},
        training_run_id=run.id,
    )


def export_model(
    bench: Workbench,
    name_or_id: str,
    target: Path,
    *,
    classic: bool = False,
    on_message: MessageHandler = lambda _message: None,
) -> dict[str, Any]:
    """Write a model to a new folder.

    The published bundle is copied as it is. The single-file classic is exported anew from the
    checkpoint, in a child with torch, and checked like the bundle was.

    Raises:
        ConflictError: If the target exists.
        InvalidInputError: If the export fails; says why.
    """
    model = bench.catalog.models.find(name_or_id)
    if target.exists():
        raise ConflictError(f"{target} exists already; name a folder that does not")
    if model.kind == "bundle" and not classic:
        return _copy_bundle(bench, model, target)
    if model.training_run_id is None:
        raise InvalidInputError(
            f"model {model.name!r} was not trained here, so there is nothing to export it from"
        )
    job = bench.catalog.jobs.submit(
        "export",
        {
            "model": model.name,
            "model_id": model.id,
            "target": str(target.resolve()),
            "classic": classic,
        },
        author=bench.settings.author,
        dedupe_key=f"export:{model.id}",
    )
    outcome = bench.jobs.run_job(job.id, on_message=on_message)
    if outcome.result is None:
        raise InvalidInputError(f"the export of {model.name!r} failed: {outcome.message}")
    return {key: outcome.result[key] for key in ("folder", "files", "parity", "model")}


def assign_export(bench: Workbench, job: JobRecord) -> Assignment:
    """Return what an attempt at an export consists of.

    Raises:
        NotFoundError: If the model or its training run is gone.
    """
    model = bench.catalog.models.get(job.params["model_id"])
    if model.training_run_id is None:
        raise NotFoundError(f"the training run of {model.name!r} is gone; nothing can be exported")
    run = bench.catalog.runs.get(model.training_run_id)
    request = {
        "task": "export",
        "settings": bench.settings.to_request(),
        "prefix": f"checkpoints/{run.name}/",
        "published": model.bundle_key if model.kind == "bundle" else "",
        "target": job.params["target"],
        "classic": job.params["classic"],
    }
    limits = ChildLimits(stall_seconds=max(600.0, bench.settings.stall_seconds))
    return Assignment(TRAIN_CHILD, request, limits)


def promote_model(bench: Workbench, name_or_id: str) -> ModelRecord:
    """Make a model the one its domain uses; the one before is retired.

    Raises:
        NotFoundError: If there is none.
    """
    model = bench.catalog.models.find(name_or_id)
    return bench.catalog.models.set_stage(model.id, "production")


def roll_back_model(bench: Workbench, domain: str) -> ModelRecord:
    """Put the model back into production that the present one took the place of; return it.

    Raises:
        NotFoundError: If there is no such domain, or no model to go back to.
    """
    bench.domain(domain)
    return bench.catalog.models.roll_back(domain)


def retire_model(bench: Workbench, name_or_id: str) -> ModelRecord:
    """Take a model out of the choice; its results stay.

    Raises:
        NotFoundError: If there is none.
    """
    model = bench.catalog.models.find(name_or_id)
    return bench.catalog.models.set_stage(model.id, "retired")


def describe_model(model: ModelRecord) -> dict[str, Any]:
    """Return a model's record as plain JSON values."""
    promoted_at = model.promoted_at.isoformat() if model.promoted_at else None
    times = {"created_at": model.created_at.isoformat(), "promoted_at": promoted_at}
    return {**asdict(model), **times}


def card_sentences(card: Mapping[str, Any]) -> list[str]:
    """Return what a person should know of a model before using it, from its card.

    What its scores have meant, whether an 8-bit encoder goes along and what it loses, what the
    motion gate costs and what was done with replays; nothing of what was never tried or stated.
    """
    calibration = card.get("calibration") or {}
    sentences = [calibration_sentence(name, entry) for name, entry in calibration.items()]
    if quantization := card.get("quantization"):
        word = "yes" if quantization.get("accepted") else "no"
        sentences.append(
            f"8-bit encoder: {word}. {_sentence(quantization['reason'])}{_checked(quantization)}"
        )
    if note := (card.get("motion_gate_cost") or {}).get("note"):
        sentences.append(f"{_sentence(note)}{_checked(card['motion_gate_cost'])}")
    if (replays := card.get("replays", "unstated")) != "unstated":
        sentences.append(f"Replays in its data: {replays_in_data(replays)}.")
    return sentences


def calibration_sentence(event_type: str, entry: Mapping[str, Any]) -> str:
    """Return what the scores of one event type have meant, from its entry on the card."""
    if entry["method"] == "none":
        return f"What a score of {event_type!r} means is not known: {entry['note']}."
    highest = min(TOLD_SCORE, entry["highest_score"])
    share = confidence_of({event_type: entry}, event_type, highest) or 0.0
    basis = (
        f"{entry['events']} candidate events, {entry['true_events']} of them true, in "
        f"{entry['videos']} validation video{'' if entry['videos'] == 1 else 's'}"
    )
    if entry["ece_after"] is not None:
        basis = (
            f"ECE {entry['ece_after']:.2f} after calibration, {entry['ece_before']:.2f} before, on "
            f"{entry['measured_on']}; {basis}"
        )
    note = f" {_sentence(entry['note'])}" if entry["note"] else ""
    return (
        f"A score of {highest:.2f} has meant a true {event_type!r} in {100 * share:.0f} of 100 "
        f"cases ({basis}).{note}"
    )


def motion_beside(report: Mapping[str, Any], kind: str) -> tuple[float, str] | None:
    """Return what motion alone reaches in a report of a card, and on how much of the videos.

    Args:
        report: Of one split.
        kind: `points` or `segments`.

    Returns:
        The mean average precision, and `on N s of them` if not all was seen, else an empty text.
        None if it was not measured.
    """
    motion = report.get("motion") or {}
    if motion.get(kind) is None:
        return None
    return motion[kind], "" if motion["whole"] else f" on {motion['seconds']:.0f} s of them"


def motion_remark(report: Mapping[str, Any]) -> str:
    """Return why a report of a card does not say what motion alone reaches; empty if it does."""
    note = (report.get("motion") or {}).get("note")
    return _sentence(note) if note else ""


def _sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:].rstrip('.')}."


def _checked(section: Mapping[str, Any]) -> str:
    """Say on how much video something was measured, and how far scores moved."""
    seconds = section.get("checked_seconds", section.get("seconds"))
    if seconds is None:
        return ""
    videos = section.get("checked_videos", section.get("videos"))
    events = section.get("checked_events", section.get("events"))
    text = f" Measured on {seconds:.0f} s of {videos} validation videos with {events} events"
    if "max_score_difference" in section:
        text += (
            f"; scores change by up to {section['max_score_difference']:.3f}, allowed is "
            f"{section['allowed_score_difference']:.2f}"
        )
    return f"{text}."


def _copy_bundle(bench: Workbench, model: ModelRecord, target: Path) -> dict[str, Any]:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f"{target.name}.{os.getpid()}.part")
    temporary.mkdir()
    names = ["card.json", *sorted(model.card.get("files", {}))]
    try:
        with ExitStack() as stack:
            for name in names:
                source = stack.enter_context(bench.storage.local_copy(model.bundle_key + name))
                shutil.copyfile(source, temporary / name)
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return {
        "folder": str(target),
        "files": names,
        "parity": model.card.get("parity", {}),
        "model": model.name,
    }
