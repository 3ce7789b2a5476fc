"""Workbench and detection together in little memory: many videos in a row, and nothing is killed.

In a control group of 2 GB without swap: the workbench serves, a client without a browser opens its
pages over the websocket and reads videos and health, and `prismata detect FOLDER` goes through the
videos with a ResNet18. Then the same command is started where it cannot fit, and once where the
child alone has too little, to see what a person is told. Needs root and writable control groups.
Ends with one line of JSON.

    python benchmarks/small_machine.py [--videos 20] [--minutes 2] [--limit-mb 2048]
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
from footage import build_clip
from memory_group import MemoryGroup
from speed_bundle import speed_bundle
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

from prismata.catalog import Catalog, open_catalog
from prismata.core.modelcard import ModelCard
from prismata.jobs import ChildSupervisor, JobEngine, JobRunner
from prismata.jobs.dispatch import NoDispatcher
from prismata.services import detect_model
from prismata.services.access import mint_token
from prismata.services.assignments import job_handlers
from prismata.services.detect import DetectRequest
from prismata.services.detect_batch import VideoReport, detect_many
from prismata.services.video_sources import find_sources
from prismata.services.workbench import Workbench
from prismata.settings import Settings
from prismata.storage import StorageBackend, open_storage

HERE = Path(__file__).resolve().parent
PAGES = ("", "label", "train", "analyze", "library", "health")
RANGE_BYTES = 1_000_000


def main() -> None:
    """Prepare outside of the group, run inside, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--limit-mb", type=int, default=2048)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--runtime", default="auto")
    parser.add_argument("--too-small-mb", type=int, nargs="*", default=[260, 190, 150])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="prismata-small-") as temporary:
        work = Path(temporary)
        settings = prepare(work, videos=given.videos, minutes=given.minutes)
        figures = {"load_1min": os.getloadavg()[0], **live(given, settings, work / "videos")}
        print_living(figures)
        figures["refused"] = refused(settings, work / "videos", given)
        print(f"\nin a group of 200 MB the command says: {figures['refused']['said']}")
        figures["too_small"] = [
            starve(settings, work / "videos", limit_mb) for limit_mb in given.too_small_mb
        ]
        for row in figures["too_small"]:
            print(f"child in {row['limit_mb']} MB: {row['state']}; {row['message']}")
    print(json.dumps(figures))


def prepare(work: Path, *, videos: int, minutes: float) -> Settings:
    """Make the clip, its copies with different digests, the bundle and a library with the model."""
    folder = work / "videos"
    folder.mkdir()
    clip = work / "clip.mp4"
    build_clip(clip, minutes=minutes)
    for number in range(videos):
        copy = folder / f"{number:02}.mp4"
        shutil.copyfile(clip, copy)
        with copy.open("ab") as file:  # a `free` box: the same video in another file
            file.write((8 + 4).to_bytes(4, "big") + b"free" + number.to_bytes(4, "big"))
    speed_bundle(work / "bundle", clip)
    settings = Settings(data_dir=work / "data", domains_dirs=str(HERE.parent / "domains"))
    with open_catalog(settings.catalog_url) as catalog:
        add_model(catalog, open_storage(settings), work / "bundle")
    return settings


def add_model(catalog: Catalog, storage: StorageBackend, bundle: Path) -> None:
    """Publish a bundle as a model."""
    prefix = "models/speed/"
    for path in bundle.iterdir():
        storage.put_file(prefix + path.name, path)
    card = ModelCard.from_json((bundle / "card.json").read_text())
    catalog.models.add(
        name=card.name,
        domain=card.domain,
        domain_version=card.domain_version,
        bundle_key=prefix,
        kind="bundle",
        card=json.loads(card.to_json()),
    )


def live(given: argparse.Namespace, settings: Settings, videos: Path) -> dict[str, Any]:
    """Serve and detect inside one group; return what it took."""
    environment = environment_of(settings)
    port, key = 18501 + os.getpid() % 1000, secrets.token_bytes(32)
    with MemoryGroup("prismata-small", limit_mb=given.limit_mb) as group:
        log = (settings.data_dir / "server.log").open("w")
        server = subprocess.Popen(
            group.inside([sys.executable, str(HERE / "serving.py"), str(port), key.hex()]),
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        client = Client(f"127.0.0.1:{port}", key, settings)
        client.wait_until_up()
        client.start()
        began = time.monotonic()
        command = [
            *(sys.executable, "-m", "prismata", "detect", str(videos), "--json"),
            *("--precision", given.precision, "--runtime", given.runtime),
        ]
        detect = subprocess.run(
            group.inside(command), env=environment, capture_output=True, text=True, check=False
        )
        wall_seconds = time.monotonic() - began
        client.stop()
        answers_still = server.poll() is None and client.is_healthy()
        figures = {
            "limit_mb": given.limit_mb,
            "peak_charged_mb": group.peak_mb,
            "peak_programs_mb": round(group.peak_program_mb, 1),
            "peak_rss_mb": {what: round(mb) for what, mb in group.peak_rss_mb.items()},
            "oom_kills": group.oom_kills,
            "server_lives": answers_still,
            "client": dict(client.counts),
            "exit_code": detect.returncode,
            "wall_seconds": round(wall_seconds, 1),
        }
        server.kill()
        server.wait()
    if not detect.stdout:
        sys.exit(f"prismata detect said nothing but: {detect.stderr}")
    runs = json.loads(detect.stdout)["runs"]
    figures["summary"] = json.loads(detect.stdout)["summary"]
    figures["runtime"] = next((run["result"]["runtime"] for run in runs if "result" in run), None)
    figures["wall_seconds_each"] = [run["wall_seconds"] for run in runs]
    figures["peak_rss_mb_each"] = [run["peak_rss_mb"] for run in runs]
    figures["messages"] = sorted({run["message"] for run in runs if run["message"]})
    return figures


def refused(settings: Settings, videos: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Start the command where the child cannot fit beside it; return what a person is told."""
    with MemoryGroup("prismata-refused", limit_mb=200) as group:
        command = [
            *(sys.executable, "-m", "prismata", "detect", str(videos / "00.mp4"), "--again"),
            *("--precision", given.precision, "--runtime", given.runtime),
        ]
        done = subprocess.run(
            group.inside(command),
            env=environment_of(settings),
            capture_output=True,
            text=True,
            check=False,
        )
        return {
            "exit_code": done.returncode,
            "said": done.stderr.strip(),
            "oom_kills": group.oom_kills,
        }


def starve(settings: Settings, videos: Path, limit_mb: int) -> dict[str, Any]:
    """Detect in fp32 with only the child in a group that may be too small for it."""
    settings = settings.model_copy(update={"feature_cache_gb": 0.0})
    with MemoryGroup("prismata-starved", limit_mb=limit_mb) as group:
        plain, detect_model.DETECT_CHILD = (
            detect_model.DETECT_CHILD,
            tuple(group.inside(detect_model.DETECT_CHILD)),
        )
        catalog = open_catalog(settings.catalog_url)
        runner = JobRunner(catalog, ChildSupervisor(oom_counter=group.oom_counter))
        engine = JobEngine(catalog, runner, NoDispatcher())
        bench = Workbench(settings, open_storage(settings), catalog, engine)
        runner.handlers = job_handlers(bench)
        with bench:
            # Nothing of this run can be dropped and read again, so it hits the limit reliably.
            request = DetectRequest("", precision="fp32", runtime="onnxruntime")
            sources = find_sources(bench, [str(videos / "00.mp4")])
            report: VideoReport = detect_many(bench, sources, request, again=True)[0]
            job = bench.catalog.jobs.get(bench.catalog.detections.get(report.run_id).job_id or "")
        detect_model.DETECT_CHILD = plain
        return {
            "limit_mb": limit_mb,
            "oom_kills": group.oom_kills,
            "state": report.state.value,
            "cause": report.cause.value if report.cause else None,
            "message": report.message,
            "attempts": job.attempt,
        }


class Client:
    """Somebody who looks at pages, plays videos and asks for health, until stopped.

    Args:
        address: Host and port.
        secret: The server's, to sign permissions.
        settings: To see which videos there are.
    """

    def __init__(self, address: str, secret: bytes, settings: Settings) -> None:
        self.counts: Counter[str] = Counter()
        self._address = address
        self._secret = secret
        self._catalog = open_catalog(settings.catalog_url)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)

    def wait_until_up(self) -> None:
        """Wait for the first answer."""
        deadline = time.monotonic() + 120
        while not self.is_healthy():
            if time.monotonic() > deadline:
                sys.exit("the workbench did not start")
            time.sleep(0.2)

    def is_healthy(self) -> bool:
        """Whether the server answers."""
        try:
            return httpx.get(f"http://{self._address}/api/health", timeout=30).status_code == 200
        except httpx.TransportError:
            return False

    def start(self) -> None:
        """Begin to look around."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after what is being done."""
        self._over.set()
        self._thread.join()
        self._catalog.close()

    def _live(self) -> None:
        while not self._over.wait(0.5):
            for action in (self._open_page, self._play, self._ask_health):
                try:
                    action()
                except (OSError, httpx.HTTPError) as error:
                    self.counts[f"failed: {type(error).__name__}"] += 1

    def _open_page(self) -> None:
        """Run one page's script as a browser would, and read what it draws."""
        page = PAGES[self.counts["pages"] % len(PAGES)]
        address = f"ws://{self._address}/_stcore/stream"
        with connect(address, subprotocols=["streamlit"], max_size=None) as socket:  # type: ignore[list-item]
            message = BackMsg()
            message.rerun_script.page_name = page
            socket.send(message.SerializeToString())
            while True:
                answer = ForwardMsg()
                answer.ParseFromString(socket.recv(timeout=60, decode=False))
                self.counts["page messages"] += 1
                if answer.WhichOneof("type") == "script_finished":
                    break
        self.counts["pages"] += 1

    def _play(self) -> None:
        videos = self._catalog.videos.list()
        if not videos:
            return
        video = secrets.choice(videos)
        token = mint_token(self._secret, "video", video.id)
        start = secrets.randbelow(max(1, video.size_bytes - RANGE_BYTES))
        answer = httpx.get(
            f"http://{self._address}/api/video/{video.id}",
            params={"token": token},
            headers={"Range": f"bytes={start}-{start + RANGE_BYTES - 1}"},
            timeout=60,
        )
        self.counts["ranges" if answer.status_code == 206 else f"{answer.status_code}"] += 1

    def _ask_health(self) -> None:
        self.counts["health" if self.is_healthy() else "no health"] += 1


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the environment in which a command uses these settings."""
    return {
        **os.environ,
        "PRISMATA_DATA_DIR": str(settings.data_dir),
        "PRISMATA_DOMAINS_DIRS": settings.domains_dirs,
    }


def print_living(figures: dict[str, Any]) -> None:
    """Print what life in the group was like."""
    summary = figures["summary"]
    print(f"{summary['videos']} videos: {summary['detected']} detected, {summary['failed']} failed")
    print(f"killed for memory: {figures['oom_kills']}; the server lives: {figures['server_lives']}")
    print(
        f"of {figures['limit_mb']} MB: programs {figures['peak_programs_mb']:.0f} MB at most, "
        f"with page cache {figures['peak_charged_mb']:.0f} MB"
    )
    for what, rss_mb in sorted(figures["peak_rss_mb"].items(), key=lambda item: -item[1]):
        print(f"  {what}: {rss_mb} MB")
    walls = sorted(figures["wall_seconds_each"])
    print(f"seconds a video: {walls[0]:.1f} … {walls[len(walls) // 2]:.1f} … {walls[-1]:.1f}")
    print(f"the client meanwhile: {figures['client']}")


if __name__ == "__main__":
    main()
