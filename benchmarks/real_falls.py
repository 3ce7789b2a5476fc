"""Falls at home on real footage: leave one person out, score the onset of the fall.

Runs the whole path (ingest, import, train, export, detect in the child, evaluate) on GMDCSA24. The
recordings end while the person lies there, so only the onset is scored. With two people there are
two folds; the footage is small and the figures say how it went on it, no more.

    python benchmarks/real_falls.py
"""

from __future__ import annotations

from pathlib import Path

from real_footage import ingest, open_bench, parse_arguments, print_figures, report, run_fold

from prismata.services.labels import ImportOptions, apply_label_import, plan_label_import

DOMAIN = "falls"
TOLERANCES = ("0.2", "0.5", "1")


def main() -> None:
    """Run all folds and print the figures."""
    arguments = parse_arguments(__doc__ or "", epochs=30)
    root = arguments.realdata / "gmdcsa24-falls"
    paths = sorted(root.rglob("*.mp4"))
    with open_bench(arguments, "real-falls") as bench:
        videos = ingest(bench, paths, base=root, domain=DOMAIN)
        others = {"Standing", "Walking", "Sitting", "Eating"}
        plan = plan_label_import(
            bench,
            root / "events.csv",
            ImportOptions(DOMAIN, {"Falling": "fall", **dict.fromkeys(others, "")}, ("fall",)),
        )
        print("\n".join(plan.summary_lines()))
        apply_label_import(bench, plan, DOMAIN, replace=True)
        people = sorted({Path(video.name).parts[0] for video in videos})
        figures = {}
        for architecture in arguments.architecture:
            folds = []
            for person in people:
                held_out = [video for video in videos if Path(video.name).parts[0] == person]
                rest = [video for video in videos if Path(video.name).parts[0] != person]
                print(f"fold {person}: {len(rest)} videos to train on, {len(held_out)} held out")
                folds.append(
                    run_fold(
                        bench,
                        DOMAIN,
                        person,
                        held_out=held_out,
                        architecture=architecture,
                        arguments=arguments,
                    )
                )
            figures[architecture] = report(
                f"Falls, leave one person out: {architecture}",
                folds,
                "point",
                TOLERANCES,
                arguments.work / "reports" / f"falls-{architecture}",
            )
    print_figures("real_falls", {**figures, "encoder": arguments.encoder, "videos": len(videos)})


if __name__ == "__main__":
    main()
