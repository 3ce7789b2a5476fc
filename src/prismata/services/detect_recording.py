"""What an attempt at a detection stores: events while its child runs, and all of it at the end."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prismata.catalog import DetectionRunRecord, JobRecord, ModelRecord, VideoRecord
from prismata.core.errors import ConflictError, UnavailableError
from prismata.core.events import Event
from prismata.core.jobs import JobLease
from prismata.core.protocol import Message
from prismata.services.admission import Admission
from prismata.services.review_novelty import sketch_key
from prismata.services.workbench import Workbench

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PreparedDetection:
    """A detection that is about to run."""

    job: JobRecord
    run: DetectionRunRecord
    video: VideoRecord
    model: ModelRecord
    admission: Admission


def event_from_result(raw: Mapping[str, Any]) -> Event:
    """Return the event that one entry of a DetectionResult describes."""
    return Event(
        int(raw["start_us"]),
        int(raw["end_us"]),
        str(raw["event_type"]),
        raw["kind"],
        float(raw["score"]),
    )


class Recording:
    """The handlers of one attempt at a detection.

    Args:
        bench: The workbench.
        job: As it was claimed.
        run: Its run.
        video: What is looked at.
        request: What the child was told.
        asked: What of the settings decides whether another run would find the same.
        notes: What a person should know of the way here.
    """

    def __init__(
        self,
        bench: Workbench,
        job: JobRecord,
        run: DetectionRunRecord,
        video: VideoRecord,
        request: Mapping[str, Any],
        asked: dict[str, Any],
        notes: Sequence[str],
    ) -> None:
        self._bench = bench
        self._lease = JobLease(job.id, job.lease_token or "")
        self._run = run
        self._video = video
        self._request = request
        self._asked = asked
        self._notes = list(notes)
        self._peak_rss_mb = 0.0
        # An attempt finds what the one before it found again.
        if job.attempt > 1:
            bench.catalog.live_scores.forget(run.id)
        earlier = bench.catalog.events.list(detection_run_id=run.id)
        self._shown = {item.event for item in earlier}

    def on_message(self, message: Message) -> None:
        """Store provisional events at once.

        An `open_event` only announces one that is not complete, so it is not stored.
        """
        if message["type"] == "event":
            event = event_from_result(message["event"])
            if event not in self._shown:
                self._bench.catalog.detections.add_events(self._run.id, [event])
                self._shown.add(event)
        elif message["type"] == "scores":
            self._show_scores(message)
        elif message["type"] == "memory":
            self._peak_rss_mb = max(self._peak_rss_mb, float(message.get("peak_rss_mb") or 0.0))

    def _show_scores(self, message: Message) -> None:
        """Let readers see a part of the curve; all of it is stored at the end, whatever comes."""
        try:
            self._bench.catalog.live_scores.add(
                self._run.id, message["times_us"], message["scores"]
            )
        except (ConflictError, UnavailableError) as error:
            logger.warning("live_scores_not_shown run=%s reason=%s", self._run.id, error)

    def on_success(self, result: dict[str, Any]) -> dict[str, Any]:
        """Store result, scores and final events; return what is kept with the job."""
        bench, run, video = self._bench, self._run, self._video
        result = {key: value for key, value in result.items() if key not in ("type", "v")}
        result["video"] |= {"name": video.name, "sha256": video.sha256}
        result["peak_rss_mb"] = self._peak_rss_mb
        result["notes"] = [*result.get("notes", []), *self._notes]
        from_cache = bool(result.get("frames", {}).get("from_cache"))
        result["settings"] |= {"asked": {**self._asked, "from_cache": from_cache}}
        prefix = f"detections/{run.id}/"
        scores_key, result_key = f"{prefix}scores.npz", f"{prefix}result.json"
        bench.storage.put_file(scores_key, Path(self._request["scores_path"]))
        bench.storage.put(result_key, json.dumps(result, indent=1).encode())
        sketch = self._request.get("sketch_path")
        if sketch and Path(sketch).is_file():  # foreign models have no features to make one of
            bench.storage.put_file(sketch_key(run.id), Path(sketch))
        events = [event_from_result(raw) for raw in result["events"]]
        bench.catalog.detections.finish(
            run.id,
            events,
            lease=self._lease,
            runtime=_describe(result["runtime"]),
            result_key=result_key,
            scores_key=scores_key,
            peak_rss_mb=self._peak_rss_mb,
            wall_seconds=result["timing_s"]["total"],
            message=" ".join(self._notes),
            settings=result["settings"],
        )
        return {
            "run_id": run.id,
            "events": len(events),
            "runtime": result["runtime"],
            "timing_s": result["timing_s"],
            "peak_rss_mb": self._peak_rss_mb,
            "notes": result["notes"],
        }


def _describe(runtime: Mapping[str, Any]) -> str:
    return (
        f"{runtime['name']} {runtime['version']} · {runtime['device']} · {runtime['precision']} · "
        f"{runtime['threads']} threads"
    )
