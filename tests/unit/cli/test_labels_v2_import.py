from __future__ import annotations

import json

from prismata.testing.synth import render_flashes


def test_a_labels_v2_file_is_imported_as_it_is(prismata, tmp_path):
    game = tmp_path / "league" / "game"
    game.mkdir(parents=True)
    for half in (1, 2):
        render_flashes(game / f"{half}_224p.mp4", seconds=4, seed=half, size=(32, 32))
    assert prismata("ingest", tmp_path / "league", "--base", tmp_path).code == 0
    annotations = [
        {"gameTime": "1 - 00:01", "label": "Kick-off", "position": "1000", "team": "home"},
        {"gameTime": "1 - 00:02", "label": "Yellow->red card", "position": "2500", "team": "away"},
        {"gameTime": "2 - 00:00", "label": "Shots on target", "position": "500", "team": "home"},
    ]
    labels = game / "Labels-v2.json"
    labels.write_text(json.dumps({"UrlLocal": "league/game/", "annotations": annotations}))
    told = prismata("labels", "import", labels, "--domain", "soccer", "--apply", "--json").json
    assert (told["stored"], told["num_left_out"], told["unknown_labels"]) == (3, 0, [])
    stored = prismata("labels", "list", "--domain", "soccer", "--json").json["labels"]
    assert [(item["video"], item["event_type"], item["start_us"]) for item in stored] == [
        ("league/game/1_224p.mp4", "kick_off", 1_000_000),
        ("league/game/1_224p.mp4", "yellow_red_card", 2_500_000),
        ("league/game/2_224p.mp4", "shots_on_target", 500_000),
    ]
    partial = tmp_path / "deliveries.json"
    partial.write_text(json.dumps({"video_path": "1_224p.mp4", "deliveries": []}))
    assert prismata("labels", "import", partial, "--domain", "soccer").code == 0
