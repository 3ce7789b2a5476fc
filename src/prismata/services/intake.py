"""Intake: a file or object becomes a video of the library and, then, a detection of the queue.

A job of its own for each, so that a folder of any size is asked for in a moment, survives restarts,
and one bad file is one row with its cause. The work is done where the job is claimed, without a
child: it is what `ingest` does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from prismata.catalog import JobRecord, VideoRecord
from prismata.core.errors import BusyError, ConflictError, InvalidInputError
from prismata.core.jobs import ResourceClass
from prismata.core.ports import Assignment, ChildLimits
from prismata.services.detect import (
    DetectRequest,
    choose_model,
    find_finished,
    prepare_detection,
    start_detection,
)
from prismata.services.video_sources import FileSource, S3VideoSource, VideoSource
from prismata.services.workbench import Workbench
from prismata.storage import SourceObject, open_s3_source


def submit_intake(bench: Workbench, source: VideoSource, request: DetectRequest) -> JobRecord:
    """Queue the intake of a file or object, and of the detection in it.

    Raises:
        BusyError: If the same is waiting or running already.
        InvalidInputError: If the source is neither a file nor an object.
    """
    asked = request_to_json(request)
    where = _to_json(source)
    same = json.dumps([where, asked], sort_keys=True).encode()
    job = bench.catalog.jobs.submit(
        "intake",
        {"subject": source.name, "source": where, "request": asked, "model": request.model},
        author=bench.settings.author,
        dedupe_key=f"intake:{hashlib.sha256(same).hexdigest()[:32]}",
        resource_class=ResourceClass.IO,
    )
    bench.jobs.start(job)
    return job


def assign_intake(bench: Workbench, job: JobRecord) -> Assignment:
    """Take the file in and queue its detection; everything is done when this returns.

    Raises:
        UserError: If the file cannot be used; one sentence.
    """
    source = _from_json(bench, job.params["source"])
    request = request_from_json(job.params["request"])
    video = source.take_in(bench, request.domain)
    if bench.catalog.jobs.get(job.id).cancel_requested:
        raise ConflictError(
            f"{source.name} was called off while it was taken in; it is in the library as "
            f"{video.name!r}, and no detection was queued"
        )
    done = _queue_detection(bench, video, request)
    return Assignment((), {}, ChildLimits(), finished={"video_id": video.id, **done})


def _queue_detection(
    bench: Workbench, video: VideoRecord, request: DetectRequest
) -> dict[str, str]:
    asked = replace(request, video=video.id)
    model = choose_model(bench, asked, video)
    finished = find_finished(bench, video, model, asked)
    if finished is not None:
        return {"finished_run_id": finished.id}
    try:
        prepared = prepare_detection(bench, asked, may_wait=True)
    except BusyError:  # somebody asked for the same: theirs is as good as ours
        return {}
    start_detection(bench, prepared)
    return {"job_id": prepared.job.id}


def request_to_json(request: DetectRequest) -> dict[str, Any]:
    """Return a request as JSON values."""
    return {
        "video": request.video,
        "model": request.model,
        "domain": request.domain,
        "thresholds": dict(request.thresholds),
        "reader": request.reader,
        "runtime": request.runtime,
        "precision": request.precision,
        "batch": request.batch,
        "coarse": request.coarse,
    }


def request_from_json(values: Mapping[str, Any]) -> DetectRequest:
    """Return what `request_to_json` was given."""
    return DetectRequest(**values)


def _to_json(source: VideoSource) -> dict[str, Any]:
    if isinstance(source, FileSource):
        return {"path": str(source.path.resolve()), "stored_name": source.stored_name}
    if isinstance(source, S3VideoSource):
        item = source.object
        return {
            "bucket": item.bucket,
            "key": item.key,
            "etag": item.etag,
            "size": item.size,
            "stored_name": source.stored_name,
        }
    raise InvalidInputError(f"{source.name} is in the library already; it needs no intake")


def _from_json(bench: Workbench, values: Mapping[str, Any]) -> VideoSource:
    if "path" in values:
        return FileSource(Path(values["path"]), values["stored_name"])
    item = SourceObject(values["bucket"], values["key"], values["etag"], values["size"])
    return S3VideoSource(open_s3_source(bench.settings), item, values["stored_name"])
