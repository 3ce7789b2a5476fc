"""Which role each route takes, in one table; a route that is not in it answers nobody."""

from __future__ import annotations

from dataclasses import dataclass

from prismata.core.roles import Role


@dataclass(frozen=True, slots=True)
class RouteRule:
    """What asking a route takes."""

    needs: Role | None
    """None = open to everybody: it tells nothing about videos or people."""
    action: str = ""
    """The word under which it is written down who asked; empty = it is not, because it changes
    nothing, or has a history of its own."""


_OPEN = RouteRule(None)
_LOOK = RouteRule("viewer")
_WORK = RouteRule("annotator")
"""Labels and verdicts have their author in a history of their own; the rest is nobody's deed."""

_VIDEO = "/api/video/{video_id}"
_LABELS = "/api/labels/{video_id}/{domain}"
_SCORES = "/api/scores/{run_id}"
_REVIEW = "/api/review/{domain}"
_UPLOAD = "/api/upload/{upload_id}"

RULES: dict[tuple[str, str], RouteRule] = {
    ("GET", "/api/health"): _OPEN,
    ("GET", "/api/metrics"): _OPEN,  # for programs: it has a token of its own
    ("GET", "/api/jobs/{job_id}"): _LOOK,
    ("GET", "/api/library"): _LOOK,
    ("GET", "/api/annotator"): _LOOK,
    ("PUT", "/api/annotator"): _LOOK,  # one's own keys and colours
    ("GET", "/api/guide/{domain}/{name}"): _LOOK,
    ("GET", "/api/model/{model_id}"): RouteRule("viewer", "download_model"),
    ("GET", _VIDEO): _LOOK,
    ("GET", f"{_VIDEO}/frames"): _LOOK,
    ("GET", f"{_VIDEO}/material"): _LOOK,
    ("GET", f"{_VIDEO}/thumbs/{{sprite:int}}"): _LOOK,
    ("GET", f"{_VIDEO}/waveform"): _LOOK,
    ("GET", f"{_VIDEO}/filmstrip"): _LOOK,
    ("GET", f"{_VIDEO}/poster"): _LOOK,
    ("GET", f"{_VIDEO}/runs"): _LOOK,
    ("POST", f"{_VIDEO}/prepare"): _WORK,  # pages ask for it by themselves
    ("GET", _SCORES): _LOOK,
    ("GET", f"{_SCORES}/tiles/{{level:int}}/{{index:int}}"): _LOOK,
    ("GET", f"{_SCORES}/events"): _LOOK,
    ("GET", "/api/detections/{run_id}/live"): _LOOK,
    ("GET", _LABELS): _LOOK,
    ("GET", f"{_LABELS}/changes"): _LOOK,
    ("GET", f"{_LABELS}/remarks"): _LOOK,
    ("GET", f"{_LABELS}/history"): _LOOK,
    ("POST", f"{_LABELS}/ops"): _WORK,
    ("POST", f"{_LABELS}/restore"): _WORK,
    ("GET", f"{_REVIEW}/queue"): _WORK,
    ("POST", f"{_REVIEW}/decide"): _WORK,
    ("POST", f"{_REVIEW}/undo"): _WORK,
    ("POST", f"{_REVIEW}/accept-above"): RouteRule("annotator", "accept_above"),
    ("GET", "/api/uploads"): _WORK,
    ("GET", _UPLOAD): _WORK,
    ("PUT", _UPLOAD): RouteRule("annotator", "upload"),
    ("PATCH", _UPLOAD): _WORK,
    ("DELETE", _UPLOAD): RouteRule("annotator", "drop_upload"),
    ("GET", f"{_UPLOAD}/parts"): _WORK,
    ("POST", f"{_UPLOAD}/parts"): _WORK,
    ("GET", "/api/queue"): _LOOK,
    ("POST", "/api/queue"): RouteRule("annotator", "change_queue"),
}
"""Method and path, as the route says it → what asking takes."""
