"""One preparation: proxy where browsers need one, thumbnails, waveform, poster, description."""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

from prismata.core.child import ChildReporter
from prismata.core.time import FrameTimeline
from prismata.media import open_video
from prismata.media.filmstrip import draw_poster
from prismata.media.proxies import make_proxy, proxy_timeline
from prismata.media.thumbnails import COLUMNS, ROWS, draw_sprites, plan_thumbs
from prismata.media.waveform import PEAKS_PER_SECOND, measure_waveform
from prismata.services.renditions import Renditions, Thumbs, renditions_prefix
from prismata.settings import Settings
from prismata.storage import StorageBackend, open_storage
from prismata.worker.prepare.turns import turn

SHARES = {"proxy": (0.0, 0.85), "waveform": (0.85, 0.88), "thumbnails": (0.88, 0.98)}
"""Of the whole progress, begin and end; without a proxy the rest is stretched."""


def prepare(request: dict[str, Any], reporter: ChildReporter) -> dict[str, Any]:
    """Handle one request: `settings`, `sha256`, `storage_key`, `timeline_key`, `needs_proxy`."""
    settings = Settings(**request["settings"])
    storage = open_storage(settings)
    timeline = FrameTimeline.load(BytesIO(storage.get(request["timeline_key"])))
    reporter.started(frames=len(timeline), needs_proxy=bool(request["needs_proxy"]))
    with (
        turn(
            settings.cache_dir / "turns",
            on_waiting=lambda: reporter.progress(0.0, 1.0, "waiting for other preparations"),
        ),
        storage.local_copy(request["storage_key"]) as path,
        tempfile.TemporaryDirectory(prefix="prismata-prepare-") as folder,
    ):
        return _Preparation(storage, path, timeline, Path(folder), reporter, request).run()


class _Preparation:
    """Makes the parts one after the other, each from the best that is there by then."""

    def __init__(
        self,
        storage: StorageBackend,
        path: Path,
        timeline: FrameTimeline,
        folder: Path,
        reporter: ChildReporter,
        request: dict[str, Any],
    ) -> None:
        self._storage = storage
        self._path = path
        self._timeline = timeline
        self._folder = folder
        self._reporter = reporter
        self._prefix = renditions_prefix(request["sha256"])
        self._needs_proxy = bool(request["needs_proxy"])

    def run(self) -> dict[str, Any]:
        began = time.monotonic()
        proxy = self._make_proxy() if self._needs_proxy else None
        peaks = self._make_waveform()
        thumbs = self._make_pictures(proxy)
        facts = {"seconds": round(time.monotonic() - began, 3)}
        made = Renditions(
            proxy=proxy is not None,
            thumbs=thumbs,
            peaks_per_second=peaks,
            facts=facts,
        )
        self._storage.put(f"{self._prefix}material.json", made.to_json())
        self._reporter.progress(1.0, 1.0, "done")
        return {"renditions": asdict(made)}

    def _make_proxy(self) -> Path:
        target = self._folder / "proxy.mp4"
        tell = self._teller("proxy", "making a proxy")
        make_proxy(self._path, target, timeline=self._timeline, on_progress=tell)
        size = target.stat().st_size
        keep = self._teller("proxy", "storing the proxy")
        self._storage.put_file(
            f"{self._prefix}proxy.mp4", target, progress=lambda _done, _total: keep(size, size)
        )
        return target

    def _make_waveform(self) -> int | None:
        tell = self._teller("waveform", "listening")
        levels = measure_waveform(self._path, self._timeline, on_progress=tell)
        if levels is None:
            return None
        self._storage.put(f"{self._prefix}waveform.bin", levels.tobytes())
        return PEAKS_PER_SECOND

    def _make_pictures(self, proxy: Path | None) -> Thumbs:
        # A proxy has its key frames near: going from thumbnail to thumbnail is cheap there.
        timeline = self._timeline if proxy is None else proxy_timeline(self._timeline)
        tell = self._teller("thumbnails", "making thumbnails")
        with open_video(proxy or self._path, timeline=timeline) as reader:
            plan = plan_thumbs(timeline, reader.displayed_size)
            for number, sprite in enumerate(draw_sprites(reader, plan, on_progress=tell)):
                self._storage.put(f"{self._prefix}thumbs-{number}.jpg", sprite)
            self._storage.put(f"{self._prefix}poster.jpg", draw_poster(reader))
        return Thumbs(
            every_us=plan.every_us,
            width=plan.width,
            height=plan.height,
            columns=COLUMNS,
            rows=ROWS,
            count=plan.count,
            sprites=plan.sprites,
        )

    def _teller(self, part: str, note: str) -> Any:  # noqa: ANN401 - a closure
        begin, end = SHARES[part]
        if not self._needs_proxy:
            after = SHARES["proxy"][1]
            begin, end = (begin - after) / (1 - after), (end - after) / (1 - after)

        def tell(done: int, total: int) -> None:
            share = done / total if total else 1.0
            self._reporter.progress(round(begin + (end - begin) * share, 4), 1.0, note)

        return tell
