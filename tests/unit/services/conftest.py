"""Videos in a library, for tests of what is done with them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from prismata.catalog import VideoRecord
from prismata.core.coverage import CoverageSpan, CoverageState
from prismata.core.operations import Operation, cover_state
from prismata.services.annotate import DomainRules
from prismata.services.ingest import ingest_file
from prismata.services.workbench import Workbench
from prismata.testing.synth import SynthVideo


@pytest.fixture
def video(bench: Workbench, flashes: SynthVideo) -> VideoRecord:
    """The flashes video, taken in."""
    taken = ingest_file(bench, flashes.path, name="flashes.mp4", domain="flashes").video
    assert taken is not None
    return taken


@pytest.fixture
def watch(bench: Workbench) -> Callable[..., None]:
    """Say that somebody watched (or skipped) a stretch of a video, by default all of it."""

    def watched(
        video: VideoRecord,
        start_us: int = 0,
        end_us: int | None = None,
        state: CoverageState = "watched",
    ) -> None:
        end_us = video.duration_us if end_us is None else end_us
        span = CoverageSpan(start_us, end_us, state)
        before, after = (cover_state(start_us, end_us, spans) for spans in ((), (span,)))
        operation = Operation(uuid4().hex, "0" * 16, 0, "cover", "", before, after)
        domain = bench.domain("flashes")
        rules = DomainRules(domain, video, bench.timeline(video))
        (result,) = bench.catalog.labels.apply(video.id, "flashes", [operation], "anna", rules)
        assert result.status == "applied"

    return watched


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[..., Path]:
    """Copy a video under another name, with other bytes behind its end if asked for."""

    def copy(source: SynthVideo, name: str, *, tail: bytes = b"") -> Path:
        target = tmp_path / "files" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source.path, target)
        with target.open("ab") as file:
            # A `free` box belongs to no track: the same video in another file.
            file.write((8 + len(tail)).to_bytes(4, "big") + b"free" + tail if tail else b"")
        return target

    return copy
