"""What all tests share: isolation, a silent log, a workbench, tiny videos that know their truth."""

from __future__ import annotations

import gc
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import hypothesis
import numpy as np
import pytest

from prismata.catalog import DetectionRunRecord, ModelRecord, VideoRecord, open_catalog
from prismata.core import logs
from prismata.core.modelcard import ModelCard
from prismata.core.scores import ScoreTrack
from prismata.domains import DomainRegistry
from prismata.services.workbench import Workbench
from prismata.settings import Settings
from prismata.testing.synth import SynthVideo, render_flashes
from prismata.testing.tiny_onnx import write_flash_bundle
from prismata.wiring import open_workbench

ROOT = Path(__file__).resolve().parents[1]
REALDATA = ROOT.parent / "shared" / "realdata"
# Networks this small only wait for each other's threads, sixteen times as long if others compute.
# Read by torch when it is imported, here and in every child.
os.environ.setdefault("OMP_NUM_THREADS", "1")

REQUIRED = "PRISMATA_TEST_REQUIRE"
"""Comma-separated markers whose tests must run: `browser,node,postgres,realdata,infrastructure`."""

FLASHES_PLUGIN = '''
"""A dark room with white flashes."""

from prismata.domains import ClipSpec, Domain, EventType, GroupingRule, register_domain


@register_domain
class Flashes(Domain):
    """White flashes in a dark room."""

    name = "flashes"
    event_types = (EventType("flash", "point", hotkey="f", guide="First white frame."),)
    clip = ClipSpec(target_fps=20, num_frames=4, window_stride=1, width=32, height=32)
    rules = {"flash": GroupingRule(threshold=0.5, min_gap_seconds=0.3)}
    tolerance_seconds = 0.1
    replays = "none"
'''


hypothesis.settings.register_profile("untimed", deadline=None)  # a busy machine breaks no law
hypothesis.settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "logs_errors: the program is to log an error in this test")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Leave what was imported and collected out of every later look for garbage.

    It is a million objects that stay anyway, and looking through them took a tenth of all time.
    """
    gc.collect()
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session) -> None:
    gc.unfreeze()  # libraries that look for leaks when they are unloaded shall find none


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[pytest.TestReport]:
    """Turn a skip into a failure where the test's marker says that it had to run."""
    report: pytest.TestReport = yield
    required = {name.strip() for name in os.environ.get(REQUIRED, "").split(",")} - {""}
    must_run = required & {marker.name for marker in item.iter_markers()}
    if report.skipped and must_run and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{REQUIRED} wants {', '.join(sorted(must_run))} tests to run: {reason}"
    return report


class _ErrorCollector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name}: {record.getMessage()}")


@pytest.fixture(autouse=True)
def _silent_log(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail whatever logged an error without a marker that says it should."""
    collector = _ErrorCollector()
    logger = logging.getLogger("prismata")
    logger.addHandler(collector)
    try:
        yield
    finally:
        logger.removeHandler(collector)
    if collector.lines and request.node.get_closest_marker("logs_errors") is None:
        pytest.fail("the program logged errors:\n" + "\n".join(collector.lines), pytrace=False)


@pytest.fixture(autouse=True)
def _isolated(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """No settings of the machine and no files of the project by accident."""
    for name in list(os.environ):
        if name.startswith("PRISMATA_") and not name.startswith("PRISMATA_TEST"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path_factory.getbasetemp())
    # What is logged carries the ids of a run until the task ends, and all tests are one.
    ids = logs._ids.set(None)
    yield
    logs._ids.reset(ids)
    DomainRegistry.clear()


@pytest.fixture(scope="session")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of domain plugins with one domain, `flashes`, small enough to train on."""
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "flashes").mkdir()
    (folder / "flashes" / "domain.py").write_text(FLASHES_PLUGIN)
    return folder


@pytest.fixture(scope="session")
def empty_catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the schema and nothing in it: every test migrates by copying it."""
    path = tmp_path_factory.mktemp("catalog") / "prismata.db"
    open_catalog(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def settings(tmp_path: Path, plugins: Path, empty_catalog: Path) -> Settings:
    """SQLite and local storage in a folder of the test's own; the project's domains and flashes."""
    chosen = Settings(
        data_dir=tmp_path / "data",
        domains_dirs=os.pathsep.join((str(ROOT / "domains"), str(plugins))),
        user="tester",
        detect_threads=1,
    )
    chosen.data_dir.mkdir()
    shutil.copyfile(empty_catalog, chosen.data_dir / empty_catalog.name)
    return chosen


@pytest.fixture
def bench(settings: Settings) -> Iterator[Workbench]:
    """A workbench as the settings say."""
    DomainRegistry.clear()
    with open_workbench(settings) as opened:
        yield opened


@pytest.fixture(scope="session")
def flashes(tmp_path_factory: pytest.TempPathFactory) -> SynthVideo:
    """Four seconds of a dark room with white flashes; never changed by a test."""
    path = tmp_path_factory.mktemp("synth") / "flashes.mp4"
    return render_flashes(path, seconds=4, seed=3, size=(96, 64))


@pytest.fixture(scope="session")
def uneven_flashes(tmp_path_factory: pytest.TempPathFactory) -> SynthVideo:
    """The same with a variable frame rate."""
    path = tmp_path_factory.mktemp("synth") / "uneven.mp4"
    return render_flashes(path, seconds=4, seed=5, size=(96, 64), variable_rate=True)


@pytest.fixture(scope="session")
def flash_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that finds white frames; never changed by a test."""
    return write_flash_bundle(tmp_path_factory.mktemp("bundles") / "flash-detector")


@pytest.fixture
def add_bundle(bench: Workbench, flash_bundle: Path) -> Callable[..., ModelRecord]:
    """Publish the flash bundle as a model of the workbench."""

    def add(name: str = "flash-detector") -> ModelRecord:
        prefix = f"models/{name}/"
        for path in flash_bundle.iterdir():
            bench.storage.put_file(prefix + path.name, path)
        card = ModelCard.from_json((flash_bundle / "card.json").read_text())
        return bench.catalog.models.add(
            name=name,
            domain="flashes",
            domain_version=1,
            bundle_key=prefix,
            kind="bundle",
            card=json.loads(card.to_json()) | {"name": name},
        )

    return add


@pytest.fixture
def finished_run(bench: Workbench, tmp_path: Path) -> Callable[..., DetectionRunRecord]:
    """Store a run that found the flashes of a video, as a detection child would leave it."""

    def store(video: VideoRecord, model: ModelRecord, truth: SynthVideo) -> DetectionRunRecord:
        times = np.arange(0, video.duration_us, 50_000, dtype=np.int64)
        scores = np.full((times.size, 1), 0.05, np.float32)
        for event in truth.events:
            near = np.abs(times - event.start_us) < 100_000
            scores[near, 0] = 0.6 + 0.3 * (np.abs(times[near] - event.start_us) < 50_000)
        track = ScoreTrack(times, scores, ("flash",))
        run = bench.catalog.detections.start(
            video_id=video.id, model_id=model.id, settings={}, job_id=None
        )
        path = tmp_path / "scores.npz"
        track.save(path)
        key = f"detections/{run.id}/scores.npz"
        bench.storage.put_file(key, path)
        rules = ModelCard.from_json(json.dumps(model.card)).rules
        return bench.catalog.detections.finish(
            run.id,
            [],
            runtime="by hand",
            result_key="",
            scores_key=key,
            peak_rss_mb=0.0,
            wall_seconds=0.0,
            settings={"rules": {name: asdict(rule) for name, rule in rules.items()}},
        )

    return store


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of real videos beside the project; tests that use it have the marker."""
    if not (REALDATA / "README.md").is_file():
        pytest.skip("the real videos are not beside the project (../shared/realdata)")
    return REALDATA
