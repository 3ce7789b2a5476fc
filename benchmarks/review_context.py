"""What a second of background beside five reviewed fights is worth to the next model.

The videos of `active_learning.py --footage fights`, one labelled to begin with. Then five fights of
other cameras are labelled: nothing else of their videos is known, or a second to both sides counts
as watched, or those videos are labelled whole, which is the most that reviewing could bring. Each
training is one of its own, in a library of its own, with the same seed.

    python benchmarks/review_context.py --seeds 3 --architecture linear_probe --set epochs=12

Takes the arguments of `active_learning.py`.
"""

from __future__ import annotations

import random
import shutil

import active_learning as al
import label_efficiency as base

from prismata.core.events import Event
from prismata.core.time import TimeSpan
from prismata.services.annotate import LabelDesk
from prismata.services.labels import add_label

REVIEWED = 5
KINDS = ("start", "events", "events and context", "whole")


def main() -> None:
    """Train and measure each kind with every seed."""
    arguments = al._parse()
    work = arguments.work / "review-context"
    subject = al.fights(arguments, work / "videos")
    margin = round(arguments.context * 1e6)
    for seed in range(arguments.seeds):
        parts = subject.parts(seed)
        fights = [(item, event) for item in parts.rest for event in item.events]
        random.Random(seed).shuffle(fights)  # noqa: S311 - a reproducible order, not a secret
        for kind in KINDS:
            folder = work / f"seed-{seed}-{kind.replace(' ', '-')}"
            shutil.rmtree(folder, ignore_errors=True)
            with base.open_bench(arguments, folder) as bench:
                videos = base.take_in(bench, subject.footage, domain=subject.domain)
                known = [*parts.start, *parts.val, *parts.tests]
                known += parts.rest if kind == "whole" else []
                base.label_videos(bench, known, videos, {}, domain=subject.domain)
                desk = LabelDesk(bench)
                for item, event in fights[:REVIEWED] if kind.startswith("events") else []:
                    video = videos[item.path.name]
                    end_us = min(event.end_us, video.duration_us)
                    label = Event.segment(event.event_type, event.start_us, end_us)
                    add_label(bench, video, subject.domain, label)
                    if kind == "events and context":
                        seen = TimeSpan(max(0, event.start_us - margin), end_us + margin)
                        desk.watch(video.id, subject.domain, seen.clamped(video.duration_us), "me")
                try:
                    model = al._train(bench, videos, subject, parts, arguments, seed)
                except SystemExit as refused:
                    print(f"seed {seed}, {kind}: {refused}", flush=True)
                    continue
                found, moments = al._measure(bench, model, videos, subject, parts)
            told = f"AP at tIoU 0.5 {100 * found:.1f}, moments {100 * moments:.1f}"
            print(f"seed {seed}, {kind}: {told}", flush=True)


if __name__ == "__main__":
    main()
