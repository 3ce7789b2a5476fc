"""Render the pictures of the packs' label guides from their scenes.

For each event type a strip of three moments, `domains/PACK/guide/EVENT.jpg`: before, at and after
an instant, or at the beginning, in the middle and at the end of a stretch. Look at them afterwards.

    python benchmarks/guide_stills.py            # all packs
    python benchmarks/guide_stills.py falls
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from prismata.domains import load_plugin
from prismata.domains.guide import GUIDE_FOLDER
from prismata.media.jpeg import encode_jpeg
from prismata.testing.drawing import Image
from prismata.testing.scenes import Happening, Scene, ScenePack, load_scene, pictures

DOMAINS = Path(__file__).resolve().parents[1] / "domains"
SIZE = (320, 180)
SECONDS = 24.0
SEEDS = range(12)
GAP = 4
"""White columns between two moments."""


def main() -> None:
    """Write the strips of the packs asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", nargs="*", help="by default all that have a scene")
    names = parser.parse_args().pack
    for name in names or sorted(path.parent.name for path in DOMAINS.glob("*/scene.py")):
        folder = DOMAINS / name
        pack = load_scene(load_plugin(folder)())
        written = write_strips(pack, folder / GUIDE_FOLDER)
        print(f"{name}: {', '.join(written)}")


def write_strips(pack: ScenePack, folder: Path) -> list[str]:
    """Write one strip for each event type that the scenes show; return their names."""
    folder.mkdir(exist_ok=True)
    written: dict[str, Path] = {}
    for seed in SEEDS:
        scene = pack.plan(SECONDS, seed)
        for item in scene.events:
            times = moments(item)
            if item.name in written or times[0] < 0 or times[-1] >= SECONDS:
                continue
            written[item.name] = folder / f"{item.name}.jpg"
            written[item.name].write_bytes(encode_jpeg(strip(pack, scene, times, seed)))
    return sorted(written)


def moments(item: Happening) -> tuple[float, float, float]:
    """Return the three times at which an event is shown."""
    if item.end_s is None:
        return item.start_s - 0.35, item.start_s + 0.02, item.start_s + 0.45
    return item.start_s + 0.05, (item.start_s + item.end_s) / 2, item.end_s - 0.05


def strip(pack: ScenePack, scene: Scene, times: tuple[float, ...], seed: int) -> Image:
    """Return the pictures of several times side by side."""
    gap: Image = np.full((SIZE[1], GAP, 3), 255, np.uint8)
    parts: list[Image] = []
    for picture in pictures(scene, times, SIZE, pack.camera, seed):
        parts += [picture, gap]
    return np.concatenate(parts[:-1], axis=1)


if __name__ == "__main__":
    main()
