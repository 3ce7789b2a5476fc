"""What becomes of a detection in catalog and storage: while its child runs, and when it ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prismata.catalog import DetectionRunRecord, JobRecord, ModelRecord, VideoRecord
from prismata.core.events import Event
from prismata.core.jobs import FailureCause, JobState
from prismata.core.ports import ChildOutcome
from prismata.core.protocol import Message
from prismata.services.admission import PROFILE_FIELDS, Admission
from prismata.services.workbench import Workbench


@dataclass(slots=True)
class PreparedDetection:
    """A detection that is about to run; owns the local copies that the child reads."""

    job: JobRecord
    run: DetectionRunRecord
    video: VideoRecord
    model: ModelRecord
    argv: tuple[str, ...]
    request: dict[str, Any]
    asked: dict[str, Any]
    """What of the settings decides whether another run would find the same."""
    admission: Admission
    resources: ExitStack


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
    """The handlers of one detection's job.

    Args:
        bench: The workbench.
        prepared: The detection.
        forward: Gets every message of the child.
        close_when_done: Let go of the local copies at the end.
    """

    def __init__(
        self,
        bench: Workbench,
        prepared: PreparedDetection,
        forward: Callable[[Message], None],
        *,
        close_when_done: bool = False,
    ) -> None:
        self._bench = bench
        self._prepared = prepared
        self._forward = forward
        self._close_when_done = close_when_done
        self._peak_rss_mb = 0.0
        self._shown: set[Event] = set()
        self.lost_memory: ChildOutcome | None = None
        """The first attempt, if it ran out of memory."""

    def on_message(self, message: Message) -> None:
        """Store provisional events at once; pass everything on.

        An `open_event` only announces one that is not complete, so it is not stored.
        """
        if message["type"] == "event":
            event = event_from_result(message["event"])
            if event not in self._shown:  # a second attempt finds those of the first again
                self._bench.catalog.detections.add_events(self._prepared.run.id, [event])
                self._shown.add(event)
        elif message["type"] == "memory":
            self._peak_rss_mb = max(self._peak_rss_mb, float(message.get("peak_rss_mb") or 0.0))
        self._forward(message)

    def retry(self, outcome: ChildOutcome) -> dict[str, Any] | None:
        """Give a detection that ran out of memory one attempt with the least it can do with."""
        if outcome.cause is not FailureCause.OUT_OF_MEMORY:
            return None
        self.lost_memory = outcome
        self._peak_rss_mb = 0.0
        self._prepared.asked["profile"] = "smallest"
        return self._prepared.request | PROFILE_FIELDS["smallest"]

    def on_success(self, result: dict[str, Any]) -> dict[str, Any]:
        """Store result, scores and final events; return what is kept with the job."""
        bench, prepared = self._bench, self._prepared
        result = {key: value for key, value in result.items() if key not in ("type", "v")}
        result["video"] |= {"name": prepared.video.name, "sha256": prepared.video.sha256}
        result["peak_rss_mb"] = self._peak_rss_mb
        result["notes"] = [*result.get("notes", []), *self._notes()]
        prepared.asked["from_cache"] = bool(result.get("frames", {}).get("from_cache"))
        result["settings"] |= {"asked": prepared.asked}
        prefix = f"detections/{prepared.run.id}/"
        scores_key, result_key = f"{prefix}scores.npz", f"{prefix}result.json"
        bench.storage.put_file(scores_key, Path(prepared.request["scores_path"]))
        bench.storage.put(result_key, json.dumps(result, indent=1).encode())
        events = [event_from_result(raw) for raw in result["events"]]
        bench.catalog.detections.finish(
            prepared.run.id,
            events,
            runtime=_describe(result["runtime"]),
            result_key=result_key,
            scores_key=scores_key,
            peak_rss_mb=self._peak_rss_mb,
            wall_seconds=result["timing_s"]["total"],
            message=" ".join(self._notes()),
            settings=result["settings"],
        )
        self._done()
        return {
            "run_id": prepared.run.id,
            "events": len(events),
            "runtime": result["runtime"],
            "timing_s": result["timing_s"],
            "peak_rss_mb": self._peak_rss_mb,
            "notes": result["notes"],
        }

    def on_failure(self, outcome: ChildOutcome) -> None:
        """Mark the run; nothing that looks like a result stays."""
        detections = self._bench.catalog.detections
        if detections.get(self._prepared.run.id).state.is_final:
            # Whoever took the job for lost has ended its run with it.
            self._done()
            return
        if outcome.state is JobState.CANCELLED:
            detections.cancel(self._prepared.run.id, outcome.message)
        else:
            detections.fail(
                self._prepared.run.id,
                outcome.cause or FailureCause.BUG,
                " ".join((outcome.message, *self._notes())),
                peak_rss_mb=outcome.peak_rss_mb or None,
                wall_seconds=outcome.wall_seconds,
            )
        self._done()

    def _notes(self) -> list[str]:
        if self.lost_memory is None:
            return []
        return [
            f"The first attempt ran out of memory at {self.lost_memory.peak_rss_mb:.0f} MB; this "
            "is the second one, with one thread and the smallest batches."
        ]

    def _done(self) -> None:
        if self._close_when_done:
            self._prepared.resources.close()


def _describe(runtime: Mapping[str, Any]) -> str:
    return (
        f"{runtime['name']} {runtime['version']} · {runtime['device']} · {runtime['precision']} · "
        f"{runtime['threads']} threads"
    )
