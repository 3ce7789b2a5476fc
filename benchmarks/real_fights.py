"""Fights in CCTV footage: leave one camera out, on sequences ASSEMBLED from short clips.

The clips of one camera, in the order of `sequence_recipe.csv`, are joined into one untrimmed
sequence; neighbouring fight clips make one fight interval with exact borders. The joins are cuts,
which real untrimmed footage does not have: the figures belong to assembled sequences only.

    python benchmarks/real_fights.py
"""

from __future__ import annotations

import csv
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from real_footage import ingest, open_bench, parse_arguments, print_figures, report, run_fold

from prismata.core.time import MICROSECONDS, to_seconds
from prismata.services.labels import ImportOptions, apply_label_import, plan_label_import

DOMAIN = "fights"
TIOUS = ("0.3", "0.5", "0.7")
SIZE = (448, 252)
TICKS = 90_000


def main() -> None:
    """Assemble the sequences, run all folds and print the figures."""
    arguments = parse_arguments(__doc__ or "", epochs=8)
    root = arguments.realdata / "surv-fights"
    folder = arguments.work / "assembled-fights"
    truth = assemble_all(root, folder)
    with open_bench(arguments, "real-fights") as bench:
        videos = ingest(bench, sorted(folder.glob("*.mp4")), base=folder, domain=DOMAIN)
        plan = plan_label_import(bench, truth, ImportOptions(DOMAIN, {}))
        print("\n".join(plan.summary_lines()))
        apply_label_import(bench, plan, DOMAIN, replace=True)
        figures: dict[str, Any] = {}
        for architecture in arguments.architecture:
            folds = []
            for video in videos:
                print(f"fold {video.name}: {len(videos) - 1} cameras to train on")
                folds.append(
                    run_fold(
                        bench,
                        DOMAIN,
                        Path(video.name).stem,
                        held_out=[video],
                        architecture=architecture,
                        arguments=arguments,
                    )
                )
            figures[architecture] = report(
                f"Fights, leave one camera out (assembled sequences): {architecture}",
                folds,
                "segment",
                TIOUS,
                arguments.work / "reports" / f"fights-{architecture}",
            )
    figures |= {"encoder": arguments.encoder, "sequences": len(videos), "assembled": True}
    print_figures("real_fights", figures)


def assemble_all(root: Path, folder: Path) -> Path:
    """Join the clips of every camera and write the truth; return the CSV.

    Done once: the CSV is put in place last, so where it is there, everything is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    truth = folder / "truth.csv"
    if truth.is_file():
        return truth
    with (root / "sequence_recipe.csv").open(encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: (row["sequence"], int(row["order"])))
    sequences: dict[str, list[tuple[Path, bool]]] = {}
    for row in rows:
        name = row["sequence"].replace(":", "-")
        sequences.setdefault(name, []).append((root / row["clip"], row["label"] == "fight"))
    unfinished = folder / "truth.part"
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["video", "label", "kind", "start_s", "end_s"])
        for name, clips in sequences.items():
            borders = assemble(clips, folder / f"{name}.mp4")
            for start_us, end_us in merge_fights(borders):
                writer.writerow(
                    [f"{name}.mp4", "fight", "segment", to_seconds(start_us), to_seconds(end_us)]
                )
    return unfinished.replace(truth)


def assemble(clips: list[tuple[Path, bool]], target: Path) -> list[tuple[int, int, bool]]:
    """Join clips into one H.264 file; return start, end (microseconds) and label of each.

    Frames keep their distances; each clip starts where the last frame of the one before ends.
    """
    borders: list[tuple[int, int, bool]] = []
    offset = 0
    with av.open(str(target), "w") as output:
        stream = output.add_stream("libx264", rate=30, options={"crf": "23", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS)
        for path, is_fight in clips:
            start, step = offset, 0
            with av.open(str(path)) as clip:
                source = clip.streams.video[0]
                scale = Fraction(source.time_base or 1) * TICKS
                first: int | None = None
                for frame in clip.decode(source):
                    if frame.pts is None:
                        continue
                    first = frame.pts if first is None else first
                    ticks = start + round((frame.pts - first) * scale)
                    step = ticks - offset if ticks > offset else step
                    offset = ticks
                    picture = frame.reformat(*SIZE, format="yuv420p")
                    picture.pts, picture.time_base = ticks, Fraction(1, TICKS)
                    output.mux(stream.encode(picture))
            offset += step
            borders.append(
                (start * MICROSECONDS // TICKS, offset * MICROSECONDS // TICKS, is_fight)
            )
        output.mux(stream.encode(None))
    return borders


def merge_fights(borders: list[tuple[int, int, bool]]) -> list[tuple[int, int]]:
    """Return fight intervals; fights that touch are one."""
    merged: list[tuple[int, int]] = []
    for start, end, is_fight in borders:
        if not is_fight:
            continue
        if merged and merged[-1][1] == start:
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return merged


if __name__ == "__main__":
    main()
