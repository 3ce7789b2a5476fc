"""Make `soccernet.json` with the program that defines the metric: the PyPI package SoccerNet 0.2.0.

    pip install SoccerNet==0.2.0 && python tests/golden/make_soccernet.py

Only this file needs the package. The detections are made up with a fixed seed: some near a true
event, some far from any, several in one bin, saturated scores, a type that nobody marked.
"""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path
from typing import Any

from SoccerNet.Evaluation.ActionSpotting import evaluate

TYPES = {"goal": 0, "corner": 1, "unmarked": 2}
METRICS = ("tight", "loose", "at1", "at2", "at3", "at4", "at5")

Times = list[tuple[str, int]]
Found = list[tuple[str, int, float]]


def main() -> None:
    """Write the golden file."""
    cases = [make_case(f"seed {seed}", seed, saturated=False) for seed in range(4)]
    cases.append(make_case("saturated scores", 9, saturated=True))
    target = Path(__file__).with_name("soccernet.json")
    about = "Made by make_soccernet.py with SoccerNet 0.2.0; times in ms, frame rate 2."
    target.write_text(json.dumps({"about": about, "types": list(TYPES), "cases": cases}) + "\n")


def make_case(name: str, seed: int, *, saturated: bool) -> dict[str, Any]:
    """Make up two games of two halves and have them judged."""
    dice = random.Random(seed)
    halves = [make_half(dice, saturated=saturated) for _ in range(4)]
    return {
        "name": name,
        "halves": [{"truth": truth, "found": found} for truth, found in halves],
        "scores": judge(halves),
    }


def make_half(dice: random.Random, *, saturated: bool) -> tuple[Times, Found]:
    """Make up one half of three minutes, and one instant beyond two hours."""
    truth = [
        (name, dice.randrange(0, 180_000))
        for name in ("goal", "corner")
        for _ in range(dice.randrange(1, 7))
    ]
    truth.append(("goal", 7_300_000))
    found = []
    for name, instant in truth:
        for _ in range(dice.randrange(0, 3)):
            near = max(0, instant + dice.randrange(-4000, 4000))
            found.append((name, near, dice.random()))
    for name in TYPES:
        found += [
            (name, dice.randrange(0, 180_000), dice.random()) for _ in range(dice.randrange(5))
        ]
    if saturated:
        found = [(name, instant, 0.995 + score / 200) for name, instant, score in found]
    # In the order of time: of several in one bin the last one counts.
    return truth, sorted(found, key=lambda item: item[1])


def judge(halves: list[tuple[Times, Found]]) -> dict[str, Any]:
    """Return what SoccerNet says of the halves, two to a game."""
    with tempfile.TemporaryDirectory() as folder:
        labels, predictions = Path(folder) / "labels", Path(folder) / "predictions"
        for game in range(len(halves) // 2):
            write_game(labels, predictions, f"game-{game}", halves[2 * game : 2 * game + 2])
        scores = {}
        for metric in METRICS:
            told = evaluate(
                str(labels),
                str(predictions),
                prediction_file="results_spotting.json",
                label_files="Labels-v2.json",
                metric=metric,
                dataset=None,
                EVENT_DICTIONARY=TYPES,
            )
            scores[metric] = {
                "mean": float(told["a_mAP"]),
                "by_type": dict(zip(TYPES, map(float, told["a_mAP_per_class"]), strict=True)),
            }
        return scores


def write_game(
    labels: Path, predictions: Path, game: str, halves: list[tuple[Times, Found]]
) -> None:
    """Write a game's two files as the challenge wants them."""
    (labels / game).mkdir(parents=True)
    (predictions / game).mkdir(parents=True)
    annotations = [
        {"gameTime": f"{half} - 00:00", "label": name, "position": str(instant)}
        for half, (truth, _) in enumerate(halves, 1)
        for name, instant in truth
    ]
    found = [
        {"label": name, "position": str(instant), "half": str(half), "confidence": score}
        for half, (_, rows) in enumerate(halves, 1)
        for name, instant, score in rows
    ]
    (labels / game / "Labels-v2.json").write_text(json.dumps({"annotations": annotations}))
    (predictions / game / "results_spotting.json").write_text(json.dumps({"predictions": found}))


if __name__ == "__main__":
    main()
