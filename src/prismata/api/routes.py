"""All routes of the process beside the pages."""

from __future__ import annotations

from starlette.routing import Route

from prismata.api.annotator import AnnotatorRoute
from prismata.api.bundles import BundleRoute
from prismata.api.guides import GuideRoute
from prismata.api.health import HealthRoute
from prismata.api.jobs import JobRoute
from prismata.api.labels import LabelRoutes
from prismata.api.library import LibraryRoute
from prismata.api.live import LiveRoute
from prismata.api.media import MediaRoute
from prismata.api.metrics import MetricsRoute
from prismata.api.queue import QueueRoute
from prismata.api.request_ids import identified
from prismata.api.review import ReviewRoutes
from prismata.api.scores import ScoreRoutes
from prismata.api.uploads import UploadRoute
from prismata.api.video_material import VideoMaterialRoutes
from prismata.services.annotate import LabelDesk
from prismata.services.workbench import Workbench


def create_routes(bench: Workbench, secret: bytes) -> list[Route]:
    """Return the routes, ready to be mounted beside the pages or alone.

    Args:
        bench: What they answer from; they do not close it.
        secret: At least 32 random bytes; pages sign tokens with the same.
    """
    uploads = UploadRoute(bench, secret)
    labels = LabelDesk(bench)
    labels.catch_up()
    metrics = MetricsRoute(bench)
    routes = [
        *VideoMaterialRoutes(bench, secret).routes(),
        *ScoreRoutes(bench, secret).routes(),
        *LabelRoutes(secret, labels).routes(),
        *ReviewRoutes(bench, secret, labels).routes(),
        Route("/api/library", LibraryRoute(bench, secret).answer, methods=["GET"]),
        Route("/api/annotator", AnnotatorRoute(bench, secret).answer, methods=["GET", "PUT"]),
        Route("/api/video/{video_id}", MediaRoute(bench, secret).answer, methods=["GET"]),
        Route(
            "/api/upload/{upload_id}",
            uploads.answer,
            methods=["GET", "PUT", "PATCH", "DELETE"],
        ),
        Route("/api/upload/{upload_id}/parts", uploads.answer, methods=["GET", "POST"]),
        Route("/api/uploads", uploads.list, methods=["GET"]),
        Route("/api/model/{model_id}", BundleRoute(bench, secret).answer, methods=["GET"]),
        Route("/api/detections/{run_id}/live", LiveRoute(bench, secret).answer, methods=["GET"]),
        Route("/api/guide/{domain}/{name}", GuideRoute(bench, secret).answer, methods=["GET"]),
        Route("/api/queue", QueueRoute(bench, secret).answer, methods=["GET", "POST"]),
        Route("/api/jobs/{job_id}", JobRoute(bench).answer, methods=["GET"]),
        Route("/api/health", HealthRoute(bench).answer, methods=["GET"]),
        Route("/api/metrics", metrics.answer, methods=["GET"]),
    ]
    return identified(metrics.measured(routes))
