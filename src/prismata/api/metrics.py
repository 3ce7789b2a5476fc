"""Metrics for Prometheus: what the catalog knows of all processes, and what this one answered.

Labels hold only what the program itself names: kinds, states, causes and the addresses of routes,
never a name that people chose. So there are no more time series than the program has words.
"""

from __future__ import annotations

import hmac
import shutil
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prismata._version import __version__
from prismata.api.answers import sentence
from prismata.catalog import newest_revision
from prismata.catalog.figures import CatalogFigures
from prismata.catalog.tables import ALIVE_SECONDS
from prismata.core.errors import PrismataError
from prismata.services.uploads import UploadDesk
from prismata.services.workbench import Workbench

JOB_LIMITS_SECONDS = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600)
ANSWER_LIMITS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

MAX_KINDS = 30
"""Kinds of jobs that have a time series of their own; the program has fewer."""
OTHER = "other"

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_LOOK_AT_MOST_EVERY_SECONDS = 2.0
_PROXY_HEADERS = ("forwarded", "x-forwarded-for", "x-real-ip", "via", "cf-connecting-ip")


class MetricsRoute:
    """Answers in the text format of Prometheus or OpenMetrics, as the one who asks prefers.

    With `PRISMATA_METRICS_TOKEN` it answers whoever brings that as a bearer token. Without, only
    programs of this machine that ask it directly: a request that came through a proxy on this
    machine, or for another host name, is refused.

    Args:
        bench: The workbench.
    """

    def __init__(self, bench: Workbench) -> None:
        self._token = bench.settings.metrics_token.get_secret_value()
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._answers = _Answers(self._registry)
        self._registry.register(_WorkbenchCollector(bench))

    def measured(self, routes: Sequence[Route]) -> list[Route]:
        """Return the routes, each of which counts and times its answers from now on."""
        for route in routes:
            route.app = _MeasuredApp(route.app, route.path, self._answers)
        return list(routes)

    def answer(self, request: Request) -> Response:
        """Return all metrics."""
        if self._token:
            given = request.headers.get("authorization", "")
            if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
                refused = sentence(
                    "metrics want PRISMATA_METRICS_TOKEN as a bearer token; give it to Prometheus "
                    "as `authorization: credentials`",
                    401,
                )
                refused.headers["WWW-Authenticate"] = "Bearer"
                return refused
        elif not _is_from_here(request):
            return sentence(
                "metrics are for programs on this machine; set PRISMATA_METRICS_TOKEN to let "
                "others read them",
                403,
            )
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(
            encode(self._registry),
            headers={"Content-Type": content_type, "Cache-Control": "no-store"},
        )


def _is_from_here(request: Request) -> bool:
    """Say whether a program of this machine asks, and not a proxy or a page for somebody else."""
    if any(name in request.headers for name in _PROXY_HEADERS):
        return False
    client = request.client.host if request.client else ""
    return _is_loopback(client) and _is_loopback(request.url.hostname or "")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class _Answers:
    """What this process answered."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "prismata_http_requests",
            "Requests that routes of the API answered.",
            ("route", "method", "status"),
            registry=registry,
        )
        self.seconds = Histogram(
            "prismata_http_request_seconds",
            "Time until an answer began; a video goes on for longer.",
            ("route", "method"),
            buckets=ANSWER_LIMITS_SECONDS,
            registry=registry,
        )


class _MeasuredApp:
    """One route, counted and timed."""

    def __init__(self, app: ASGIApp, path: str, answers: _Answers) -> None:
        self._app, self._path, self._answers = app, path, answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.perf_counter()
        status = ""
        method = scope.get("method", "") if scope.get("method") in _METHODS else OTHER

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
                took = time.perf_counter() - begun
                self._answers.seconds.labels(self._path, method).observe(took)
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            # Without an answer somebody left, or something broke, which is answered further out.
            self._answers.requests.labels(self._path, method, status or "none").inc()


class _WorkbenchCollector:
    """Asks catalog and disk when somebody wants to know, though not more than every 2 seconds."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._lock = threading.Lock()
        self._looked_at = float("-inf")
        self._figures: CatalogFigures | None = None

    def describe(self) -> Iterable[Metric]:
        """Name nothing in advance: registering must not ask the catalog."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield everything that can be told now."""
        yield InfoMetricFamily(
            "prismata_build",
            "This program.",
            value={"version": __version__, "schema": newest_revision()},
        )
        yield from self._disk()
        yield from self._uploads()
        figures = self._look()
        answers = GaugeMetricFamily(
            "prismata_catalog_answers", "1: the catalog answers, 0: figures from it are missing."
        )
        answers.add_metric((), figures is not None)
        yield answers
        if figures is not None:
            yield from _job_metrics(figures)
            yield from _detection_metrics(figures)
            yield from _stock_metrics(figures)

    def _look(self) -> CatalogFigures | None:
        with self._lock:
            now = time.monotonic()
            if now - self._looked_at >= _LOOK_AT_MOST_EVERY_SECONDS:
                try:
                    self._figures = self._bench.catalog.figures.look(
                        JOB_LIMITS_SECONDS, seen_within_seconds=ALIVE_SECONDS
                    )
                except PrismataError:
                    self._figures = None
                self._looked_at = now
            return self._figures

    def _disk(self) -> Iterator[Metric]:
        disk = GaugeMetricFamily(
            "prismata_data_disk_bytes", "Disk of the data folder.", labels=("what",)
        )
        try:
            usage = shutil.disk_usage(self._bench.settings.data_dir)
        except OSError:
            return
        disk.add_metric(("free",), usage.free)
        disk.add_metric(("total",), usage.total)
        yield disk

    def _uploads(self) -> Iterator[Metric]:
        unfinished = UploadDesk(self._bench.settings.data_dir / "uploads").unfinished()
        open_now = GaugeMetricFamily(
            "prismata_uploads_unfinished", "Uploads through the workbench that have begun."
        )
        open_now.add_metric((), len(unfinished))
        yield open_now
        here = GaugeMetricFamily(
            "prismata_uploads_received_bytes", "Bytes of these that are here already."
        )
        here.add_metric((), sum(upload.offset for upload in unfinished))
        yield here


def _known(kinds: Iterable[str]) -> dict[str, str]:
    """Return kind → its label, where what is beyond `MAX_KINDS` is one."""
    ordered = sorted(set(kinds))
    return {kind: kind if n < MAX_KINDS else OTHER for n, kind in enumerate(ordered)}


def _job_metrics(figures: CatalogFigures) -> Iterator[Metric]:
    label = _known(kind for kind, _ in figures.jobs)
    jobs = GaugeMetricFamily("prismata_jobs", "Jobs in the catalog.", labels=("kind", "state"))
    attempts = CounterMetricFamily(
        "prismata_job_attempts",
        "Attempts at jobs; cause says why one failed.",
        labels=("kind", "state", "cause"),
    )
    _add_sums(jobs, (((label[kind], str(state)), n) for (kind, state), n in figures.jobs.items()))
    yield jobs
    _add_sums(
        attempts,
        (
            ((label[kind], str(state), str(cause or "")), n)
            for (kind, state, cause), n in figures.attempts.items()
        ),
    )
    yield attempts
    waiting = GaugeMetricFamily(
        "prismata_oldest_queued_job_age_seconds",
        "How long the job that waits longest for such a slot has waited; 0: none waits.",
        labels=("resource_class",),
    )
    for resource in figures.worker_slots:
        waiting.add_metric((str(resource),), figures.oldest_queued_seconds.get(resource, 0.0))
    yield waiting
    took = HistogramMetricFamily(
        "prismata_job_duration_seconds",
        "How long attempts took that succeeded.",
        labels=("kind",),
    )
    for row in figures.durations:
        if label.get(row.kind, OTHER) == OTHER:
            continue  # Sums of histograms of what nobody named say nothing.
        limits = [str(float(limit)) for limit in JOB_LIMITS_SECONDS]
        buckets = [*zip(limits, map(float, row.at_most), strict=True), ("+Inf", float(row.count))]
        took.add_metric((row.kind,), buckets, sum_value=row.seconds)
    yield took


def _add_sums(
    family: GaugeMetricFamily | CounterMetricFamily,
    rows: Iterable[tuple[tuple[str, ...], int]],
) -> None:
    """Add numbers, those with the same labels as one."""
    sums: dict[tuple[str, ...], int] = {}
    for labels, number in rows:
        sums[labels] = sums.get(labels, 0) + number
    for labels, number in sums.items():
        family.add_metric(labels, number)


def _detection_metrics(figures: CatalogFigures) -> Iterator[Metric]:
    yield CounterMetricFamily(
        "prismata_detected_video_seconds",
        "Length of the videos that detections went through.",
        value=figures.detected_video_seconds,
    )
    yield CounterMetricFamily(
        "prismata_detecting_seconds", "How long these took.", value=figures.detecting_seconds
    )
    if figures.recent_realtime_factor is not None:
        yield GaugeMetricFamily(
            "prismata_detection_realtime_factor",
            "Seconds of video per second of work, of the last day's detections.",
            value=figures.recent_realtime_factor,
        )


def _stock_metrics(figures: CatalogFigures) -> Iterator[Metric]:
    workers = GaugeMetricFamily(
        "prismata_workers",
        f"Workers that were seen within {ALIVE_SECONDS:.0f} s.",
        labels=("state",),
    )
    for draining, number in figures.workers.items():
        workers.add_metric(("draining" if draining else "working",), number)
    yield workers
    slots = GaugeMetricFamily(
        "prismata_worker_slots", "Jobs that these run at once.", labels=("resource_class",)
    )
    for resource, number in figures.worker_slots.items():
        slots.add_metric((str(resource),), number)
    yield slots
    yield GaugeMetricFamily("prismata_videos", "Videos in the library.", value=figures.videos)
    yield GaugeMetricFamily("prismata_video_seconds", "Their length.", value=figures.video_seconds)
    events = GaugeMetricFamily("prismata_events", "Events of all videos.", labels=("origin",))
    for origin, number in figures.events.items():
        events.add_metric((origin,), number)
    yield events
